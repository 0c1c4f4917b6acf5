import type { RolloutObject } from '../../fleet/rollout.ts';
import { ApiFailure } from '../api-client.ts';
import { type Call, type Command, durationFlag, type Terminal } from '../command.ts';
import { dataText } from '../print.ts';
import { awaitRollout } from './await-rollout.ts';
import { findRollout, parseReference, rolloutsPath } from './find-rollout.ts';
import { changeLines, headline, statusText, verdictOf } from './status-text.ts';
import { workloadText } from './workload.ts';

const DONE = 0;
const FAILED = 1;
const TIMED_OUT = 2;

export const status: Command = {
  arguments: '[NAME|ds/NAME|deploy/NAME|ar/NAME]',
  takes: [0, 1],
  about: 'where a rollout is; with --watch until it is over (exit code 0 done, 1 failed, 2 timed out)',
  flags: {
    watch: {
      type: 'boolean',
      short: 'w',
      about: 'until it is over: drawn anew in a terminal, plain lines elsewhere',
    },
    timeout: { type: 'string', value: 'TIME', about: 'watch no longer than this: 90s, 15m (0, for ever)' },
  },
  examples: ['', 'app-3', 'ds/app --watch --timeout 30m', 'ds/app -o json'],
  outputs: ['json', 'yaml', 'wide'],
  run: async (call) => (call.has('watch') ? watch(call) : show(call)),
};

async function show(call: Call): Promise<number> {
  const rollout = await findRollout(call.client, call.namespace, call.arguments[0]);
  print(call, rollout);
  return verdictOf(rollout) === 'failed' ? FAILED : DONE;
}

function print(call: Call, rollout: RolloutObject): void {
  const { output, surroundings } = call;
  if (output === 'json' || output === 'yaml') call.print(dataText(output, rollout));
  else {
    const columns = output === 'wide' ? undefined : surroundings.stdout.columns;
    call.print(statusText(rollout, { nowMs: call.now, columns }));
  }
}

async function watch(call: Call): Promise<number> {
  const timeoutMs = durationFlag(call, 'timeout');
  const timeout = new AbortController();
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => timeout.abort(), timeoutMs);
  try {
    return await watchUntil(call, timeout.signal);
  } finally {
    clearTimeout(timer);
    timeout.abort();
  }
}

async function watchUntil(call: Call, signal: AbortSignal): Promise<number> {
  const first = await firstRollout(call, signal);
  if (first === 'none needed') return DONE;
  if (!first) return tooLate(call, undefined);
  const name = first.metadata.name ?? '';
  const isData = call.output === 'json' || call.output === 'yaml';
  const show = isData ? () => undefined : viewOf(call);
  let last = first;
  for await (const rollout of call.client.follow<RolloutObject>(rolloutsPath(call.namespace), name, signal)) {
    if (!rollout) throw new ApiFailure(404, `rollout "${name}" was deleted`);
    show(rollout);
    last = rollout;
    if (verdictOf(rollout) !== 'open') break;
  }
  if (isData) print(call, last);
  const verdict = verdictOf(last);
  if (verdict === 'open') return tooLate(call, last);
  return verdict === 'done' ? DONE : FAILED;
}

/** Of a workload the rollout of its present template, which the hub may be about to make. */
async function firstRollout(
  call: Call,
  signal: AbortSignal,
): Promise<RolloutObject | 'none needed' | undefined> {
  const { client, namespace } = call;
  const [given] = call.arguments;
  const reference = given === undefined ? undefined : parseReference(given);
  if (reference?.type !== 'workload') return findRollout(client, namespace, given);
  const { workload } = reference;
  let found = await awaitRollout(client, namespace, workload, signal);
  // The hub ends each watch at some time: it is asked again.
  while (!found && !signal.aborted) found = await awaitRollout(client, namespace, workload, signal);
  if (found === 'none needed')
    call.print(`${workloadText(workload)} is at its first revision: there is nothing to roll out`);
  return found;
}

function tooLate(call: Call, last: RolloutObject | undefined): number {
  const where = last
    ? `${last.metadata.name} is ${headline(last)}`
    : 'there is no rollout of its template yet';
  call.warn(`timed out after ${call.text('timeout')}: ${where}`);
  return TIMED_OUT;
}

/** What shows each state: over the one before in a terminal, what is new elsewhere. */
function viewOf(call: Call): (rollout: RolloutObject) => void {
  const { stdout } = call.surroundings;
  if (stdout.isTTY) return drawing(call, stdout);
  let before: RolloutObject | undefined;
  return (rollout) => {
    for (const line of changeLines(before, rollout)) call.print(line);
    before = rollout;
  };
}

const upAndClear = (lines: number) => (lines === 0 ? '' : `\u001b[${lines}A\u001b[J`);

function drawing(call: Call, terminal: Terminal): (rollout: RolloutObject) => void {
  let drawn = 0;
  return (rollout) => {
    const { columns, rows } = terminal;
    const text = statusText(rollout, { nowMs: call.now, columns, rows });
    terminal.write(`${upAndClear(drawn)}${text}\n`);
    drawn = text.split('\n').length;
  };
}
