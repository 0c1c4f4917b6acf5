import { randomBytes } from 'node:crypto';
import { encodeRebootRequest, REBOOT_ANNOTATION, type RebootRequest } from '../../../proto/node-reboot.ts';
import type { EventObject, NodeObject } from '../../resources/typed.ts';
import { type Call, type Command, durationFlag, numberFlag } from '../command.ts';
import { forEach, patch } from './change.ts';
import { findNodes, nodePath, SELECTION } from './find-nodes.ts';
import {
  exitCodeOf,
  isBack,
  outcomeText,
  planReboots,
  type RebootAnswer,
  type RebootOutcome,
  rebootWord,
  requestFor,
} from './reboot-plan.ts';

const DEFAULT_TIMEOUT_MS = 5 * 60_000;
const EVENTS = '/api/v1/namespaces/default/events'; // where those of Nodes are

export const reboot: Command = {
  arguments: '[NAME ...]',
  takes: [0, 1000],
  about:
    'starts devices anew, one after the other, and waits until each is Ready again; evicts no pods (drain)',
  flags: {
    ...SELECTION,
    parallel: { type: 'string', value: 'NUMBER', about: 'so many at the same time (1)' },
    timeout: {
      type: 'string',
      value: 'TIME',
      about: 'how long each may take: 90s, 15m (5m). One that takes longer is the last',
    },
    'no-wait': { type: 'boolean', about: 'only ask' },
    'dry-run': { type: 'boolean', about: 'only tell which devices would be asked' },
  },
  examples: ['press-17', '-l site=berlin --parallel 2 --timeout 10m', 'press-17 --no-wait'],
  isClusterWide: true,
  run: async (call) => {
    const timeoutMs = timeoutOf(call);
    const parallel = numberFlag(call, 'parallel') ?? 1;
    const plan = planReboots(await findNodes(call, call.arguments), call.now, !call.has('no-wait'));
    for (const refusal of plan.refusals) call.warn(refusal);
    if (call.has('dry-run'))
      for (const { metadata } of plan.ask) call.print(`node ${metadata.name} would be asked to reboot`);
    else if (call.has('no-wait')) await askAll(call, plan.ask, parallel, timeoutMs);
    else return exitCodeOf(plan, await rebootAll(call, plan.ask, parallel, timeoutMs));
    return exitCodeOf(plan, []);
  },
};

function timeoutOf(call: Call): number {
  const timeoutMs = durationFlag(call, 'timeout');
  if (timeoutMs === undefined && call.text('timeout') !== undefined)
    throw new Error('--timeout must be above 0: what is asked of a device does not stand for ever');
  return timeoutMs ?? DEFAULT_TIMEOUT_MS;
}

async function askAll(
  call: Call,
  nodes: readonly NodeObject[],
  parallel: number,
  timeoutMs: number,
): Promise<void> {
  if (nodes.length > parallel)
    throw new Error(
      `--no-wait would reboot ${nodes.length} devices at the same time: say --parallel ${nodes.length} if that is meant`,
    );
  await forEach(nodes, async (node) => {
    await ask(call, node, newRequest(call, node, timeoutMs));
  });
}

/** Who does not come back may be broken by what the others would do as well: nobody is asked after it. */
async function rebootAll(
  call: Call,
  nodes: readonly NodeObject[],
  parallel: number,
  timeoutMs: number,
): Promise<readonly RebootOutcome[]> {
  const outcomes: RebootOutcome[] = [];
  const spared: string[] = [];
  const act = async (node: NodeObject) => {
    const name = node.metadata.name ?? '';
    if (outcomes.some(({ type }) => type === 'late')) spared.push(name);
    else outcomes.push(await rebootNode(call, name, timeoutMs));
  };
  await forEach(nodes, act, parallel);
  if (spared.length > 0) call.warn(`not asked after that: ${spared.join(', ')}`);
  return outcomes;
}

function newRequest(call: Call, node: NodeObject, timeoutMs: number): RebootRequest {
  return requestFor(node, { id: randomBytes(6).toString('hex'), nowMs: call.now, timeoutMs });
}

async function ask(call: Call, node: NodeObject, request: RebootRequest): Promise<void> {
  await patch(call, node, {
    metadata: { annotations: { [REBOOT_ANNOTATION]: encodeRebootRequest(request) } },
  });
  call.print(`node ${node.metadata.name} is asked to reboot`);
}

/** As it is now: since all were listed, others have taken their time. */
async function rebootNode(call: Call, name: string, timeoutMs: number): Promise<RebootOutcome> {
  const found = await call.client.find<NodeObject>(nodePath(name));
  const { ask, refusals } = planReboots(found ? [found] : [], call.now, true);
  const [node] = ask;
  if (node) return askAndWait(call, node, timeoutMs);
  call.warn(refusals[0] ?? `node ${name} was deleted meanwhile`);
  return { type: 'not asked' };
}

async function askAndWait(call: Call, node: NodeObject, timeoutMs: number): Promise<RebootAnswer> {
  const name = node.metadata.name ?? '';
  const over = new AbortController();
  const query = { fieldSelector: `involvedObject.kind=Node,involvedObject.name=${name}` };
  const events = call.client.followAll<EventObject>(EVENTS, query, over.signal);
  await events.next(); // who may not read them is told so before anything is asked
  const timer = setTimeout(() => over.abort(), timeoutMs);
  try {
    const request = newRequest(call, node, timeoutMs);
    await ask(call, node, request);
    const words = { hasBegun: false };
    const outcome: RebootAnswer = (await Promise.race([
      untilBack(call, name, request, over.signal),
      untilRefused(call, name, request, events, words),
    ])) ?? { type: 'late', hasBegun: words.hasBegun };
    const text = outcomeText(name, outcome, request, call.now);
    if (outcome.type === 'back') call.print(text);
    else call.warn(text);
    return outcome;
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

/** Undefined when the signal comes first. */
async function untilBack(
  { client }: Call,
  name: string,
  request: RebootRequest,
  signal: AbortSignal,
): Promise<RebootAnswer | undefined> {
  for await (const node of client.follow<NodeObject>('/api/v1/nodes', name, signal)) {
    if (!node) return { type: 'gone' };
    if (isBack(node, request)) return { type: 'back' };
  }
  return undefined;
}

/** Undefined when there are no more events. */
async function untilRefused(
  call: Call,
  name: string,
  request: RebootRequest,
  events: AsyncIterable<readonly EventObject[]>,
  words: { hasBegun: boolean },
): Promise<RebootAnswer | undefined> {
  for await (const some of events)
    for (const event of some) {
      const word = rebootWord(event, request);
      if (word?.type === 'over') return { type: 'refused', reason: word.reason, message: word.message };
      if (word && !words.hasBegun) call.print(`node ${name} reboots`);
      words.hasBegun ||= word !== undefined;
    }
  return undefined;
}
