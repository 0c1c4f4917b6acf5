import { setTimeout as delay } from 'node:timers/promises';
import { readinessOf } from '../../resources/node-matching.ts';
import type { NodeObject, PodObject } from '../../resources/typed.ts';
import { ApiFailure } from '../api-client.ts';
import { type Call, type Command, durationFlag } from '../command.ts';
import { setUnschedulable } from './change.ts';
import { type DrainPlan, planDrain } from './drain-plan.ts';
import { findNodes, SELECTION } from './find-nodes.ts';
import { classText } from './node-text.ts';

/** A budget that allows nobody to go now may do so later: as kubectl, it is asked again. */
const ASK_AGAIN_MS = 5_000;
const TOO_MANY = 429;

export const drain: Command = {
  arguments: '[NAME ...]',
  takes: [0, 1000],
  about: 'cordons a node and evicts its pods, but those of DaemonSets; waits until they are gone',
  flags: {
    ...SELECTION,
    force: { type: 'boolean', about: 'also pods that no controller makes again' },
    'delete-emptydir-data': { type: 'boolean', about: 'also pods with emptyDir volumes, whose data is lost' },
    'grace-period': { type: 'string', value: 'SECONDS', about: 'in place of that of each pod' },
    timeout: { type: 'string', value: 'TIME', about: 'give up after this: 90s, 15m (0, never)' },
    'dry-run': { type: 'boolean', about: 'only tell which pods would go' },
  },
  examples: ['press-17', 'press-17 --force --timeout 5m', '-l site=berlin --dry-run'],
  isClusterWide: true,
  run: async (call) => {
    const nodes = await findNodes(call, call.arguments);
    graceSeconds(call); // what is wrong with it is told before anything is changed
    const timeoutMs = durationFlag(call, 'timeout');
    const timeout = new AbortController();
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => timeout.abort(), timeoutMs);
    try {
      // One after the other, as kubectl does: what runs on the first may go to the second.
      for (const node of nodes) await drainNode(call, node, timeout.signal);
      return undefined;
    } finally {
      clearTimeout(timer);
      timeout.abort();
    }
  },
};

async function drainNode(call: Call, node: NodeObject, signal: AbortSignal): Promise<void> {
  const name = node.metadata.name ?? '';
  const options = { force: call.has('force'), deleteEmptyDirData: call.has('delete-emptydir-data') };
  const list = await podsOn(call, name);
  const plan = planDrain(list.items, options);
  if (plan.refusals.length > 0)
    throw new Error(`node ${name} cannot be drained: ${plan.refusals.join('; ')}`);
  if (call.has('dry-run')) return tell(call, name, plan);
  await setUnschedulable(call, node, true);
  call.print(`node ${name} cordoned`);
  for (const warning of plan.warnings) call.warn(`Warning: ${warning}`);
  if (readinessOf(node) === 'Unknown' && plan.evict.length > 0)
    call.warn(`Warning: node ${name} is ${classText(node, [], call.now)}: its pods go when it is back`);
  const gone = waitUntilGone(call, name, plan.evict, list.metadata.resourceVersion, signal);
  await Promise.all([gone, ...plan.evict.map((pod) => evict(call, pod, signal))]);
  call.print(`node ${name} drained`);
}

function tell(call: Call, name: string, { evict, warnings }: DrainPlan): void {
  for (const warning of warnings) call.warn(`Warning: ${warning}`);
  for (const { metadata } of evict) call.print(`pod ${metadata.namespace}/${metadata.name} would be evicted`);
  call.print(`node ${name} would be drained`);
}

interface PodList {
  readonly items: PodObject[];
  readonly metadata: { readonly resourceVersion: string };
}

function podsOn({ client }: Call, node: string): Promise<PodList> {
  return client.call('GET', `/api/v1/pods?fieldSelector=${encodeURIComponent(`spec.nodeName=${node}`)}`);
}

function graceSeconds(call: Call): number | undefined {
  const text = call.text('grace-period');
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new Error(`--grace-period must be a whole number of seconds, is "${text}"`);
  return Number(text);
}

async function evict(call: Call, { metadata }: PodObject, signal: AbortSignal): Promise<void> {
  const { namespace, name = '' } = metadata;
  const path = `/api/v1/namespaces/${namespace}/pods/${encodeURIComponent(name)}/eviction`;
  const grace = graceSeconds(call);
  const eviction = {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name, namespace },
    ...(grace !== undefined && { deleteOptions: { gracePeriodSeconds: grace } }),
  };
  for (let isTold = false; !signal.aborted; isTold = true) {
    try {
      await call.client.call('POST', path, eviction);
      return call.print(`evicting pod ${namespace}/${name}`);
    } catch (error) {
      if (!(error instanceof ApiFailure) || (error.code !== TOO_MANY && error.code !== 404)) throw error;
      if (error.code === 404) return;
      if (!isTold) call.warn(`pod ${namespace}/${name} waits for its budget: ${error.message}`);
    }
    await delay(ASK_AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Rejects when the signal comes first, with the pods that are left. */
async function waitUntilGone(
  call: Call,
  node: string,
  pods: readonly PodObject[],
  since: string,
  signal: AbortSignal,
): Promise<void> {
  const left = new Map(pods.map(({ metadata }) => [metadata.uid, `${metadata.namespace}/${metadata.name}`]));
  const query = { fieldSelector: `spec.nodeName=${node}` };
  let from = since;
  while (left.size > 0 && !signal.aborted) {
    try {
      for await (const { type, object } of call.client.watch<PodObject>(
        '/api/v1/pods',
        query,
        from,
        signal,
      )) {
        from = object.metadata.resourceVersion ?? from;
        if (type === 'DELETED' && left.delete(object.metadata.uid))
          call.print(`pod ${object.metadata.name} evicted`);
        if (left.size === 0) return;
      }
    } catch (error) {
      if (!signal.aborted && !(error instanceof ApiFailure && error.code === 410)) throw error;
    }
    if (signal.aborted) break;
    const list = await podsOn(call, node); // what happened in between is not told
    const there = new Set(list.items.map(({ metadata }) => metadata.uid));
    for (const uid of left.keys()) if (!there.has(uid)) left.delete(uid);
    from = list.metadata.resourceVersion;
  }
  if (left.size > 0)
    throw new Error(
      `node ${node} was not drained in ${call.text('timeout')}: there are still ${[...left.values()].join(', ')}`,
    );
}
