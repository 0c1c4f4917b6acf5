import type { RolloutObject } from '../../fleet/rollout.ts';
import type { DaemonSetObject } from '../../resources/typed.ts';
import type { ApiClient } from '../api-client.ts';

/*
 * Words of the API and of the engine, again: to load the kinds themselves, schemas and all, would take longer than a
 * command may.
 */

export const rolloutsPath = (namespace: string) =>
  `/apis/fleet.holdfast.dev/v1/namespaces/${encodeURIComponent(namespace)}/rollouts`;
export const deviceUpdatesPath = (namespace: string) =>
  `/apis/fleet.holdfast.dev/v1/namespaces/${encodeURIComponent(namespace)}/deviceupdates`;
export const daemonSetsPath = (namespace: string) =>
  `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/daemonsets`;

export const POLICY_ANNOTATION = 'fleet.holdfast.dev/rollout-policy';
const WORKLOAD_LABEL = 'fleet.holdfast.dev/workload';
const LABEL_LENGTH = 63;
const NAMES_TOLD = 10;
const OVER: readonly string[] = ['Succeeded', 'Aborted', 'Undone', 'Superseded'];

/** Nothing of it goes on by itself but devices that catch up. */
export function isOver({ status }: RolloutObject): boolean {
  return OVER.includes(status?.phase ?? '');
}

export interface Reference {
  readonly type: 'rollout' | 'workload';
  readonly name: string;
}

/** `app-3` is a rollout, `ds/app` a DaemonSet. Throws for anything else. */
export function parseReference(text: string): Reference {
  const [kind = '', name, ...more] = text.includes('/') ? text.split('/') : ['rollout', text];
  if (!name || more.length > 0)
    throw new Error(`NAME must be a rollout, or ds/NAME of a DaemonSet, is "${text}"`);
  const [short = ''] = kind.toLowerCase().split('.');
  if (['ds', 'daemonset', 'daemonsets'].includes(short)) return { type: 'workload', name };
  if (['rollout', 'rollouts', 'ro'].includes(short)) return { type: 'rollout', name };
  throw new Error(`NAME must be a rollout, or ds/NAME of a DaemonSet: rollouts go over no "${kind}"`);
}

/** `ds/app`, or `app` alone where only a DaemonSet can be meant. */
export function workloadName(text: string): string {
  const { name } = parseReference(text.includes('/') ? text : `ds/${text}`);
  return name;
}

/** Those of a DaemonSet, or all of the namespace; the newest first. */
export async function listRollouts(
  client: ApiClient,
  namespace: string,
  workload?: string,
): Promise<readonly RolloutObject[]> {
  const label = workload && `${WORKLOAD_LABEL}=${workload.slice(0, LABEL_LENGTH)}`;
  const query = label ? `?labelSelector=${encodeURIComponent(label)}` : '';
  const { items } = await client.call<{ items: RolloutObject[] }>(
    'GET',
    `${rolloutsPath(namespace)}${query}`,
  );
  return newestFirst(items.filter(({ spec }) => workload === undefined || spec.workload.name === workload));
}

export function newestFirst(rollouts: readonly RolloutObject[]): readonly RolloutObject[] {
  return rollouts.toSorted(
    (a, b) =>
      (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '') ||
      b.spec.to.number - a.spec.to.number,
  );
}

/**
 * The rollout of this name, or the newest of `ds/NAME`; without a name the only one that is under way. Throws an error
 * that tells which there are.
 */
export async function findRollout(
  client: ApiClient,
  namespace: string,
  given: string | undefined,
): Promise<RolloutObject> {
  if (given === undefined) return onlyOne(await listRollouts(client, namespace), namespace);
  const { type, name } = parseReference(given);
  if (type === 'workload') return newestOf(client, namespace, name);
  const found = await client.find<RolloutObject>(`${rolloutsPath(namespace)}/${encodeURIComponent(name)}`);
  if (found) return found;
  const all = await listRollouts(client, namespace);
  const hint = all.some(({ spec }) => spec.workload.name === name)
    ? ` (for the newest of DaemonSet ${name} write ds/${name})`
    : '';
  throw new Error(`no rollout "${name}" in namespace "${namespace}": ${thoseThere(all)}${hint}`);
}

async function newestOf(client: ApiClient, namespace: string, workload: string): Promise<RolloutObject> {
  const [newest] = await listRollouts(client, namespace, workload);
  if (newest) return newest;
  const set = await client.find<DaemonSetObject>(
    `${daemonSetsPath(namespace)}/${encodeURIComponent(workload)}`,
  );
  if (!set) throw await noDaemonSet(client, namespace, workload);
  throw new Error(withoutRollouts(set));
}

/** What to say of a DaemonSet that has no rollout. */
export function withoutRollouts({ metadata }: DaemonSetObject): string {
  const policy = metadata.annotations?.[POLICY_ANNOTATION];
  return policy
    ? `DaemonSet "${metadata.name}" has no rollout yet: there is one once its template changes (RolloutPolicy "${policy}")`
    : `DaemonSet "${metadata.name}" has no rollouts: it refers to no RolloutPolicy (annotation ${POLICY_ANNOTATION}); follow it with "kubectl rollout status ds/${metadata.name}"`;
}

export async function noDaemonSet(client: ApiClient, namespace: string, name: string): Promise<Error> {
  const { items } = await client.call<{ items: DaemonSetObject[] }>('GET', daemonSetsPath(namespace));
  const names = items.map(({ metadata }) => metadata.name ?? '');
  return new Error(`no DaemonSet "${name}" in namespace "${namespace}": there are ${firstOf(names)}`);
}

function onlyOne(all: readonly RolloutObject[], namespace: string): RolloutObject {
  const open = all.filter((rollout) => !isOver(rollout));
  const workloads = new Set(all.map(({ spec }) => spec.workload.name));
  const [only] = open.length === 0 && workloads.size === 1 ? all : open;
  if (only && open.length <= 1) return only;
  throw new Error(`name a rollout, or ds/NAME, in namespace "${namespace}": ${thoseThere(all)}`);
}

function thoseThere(all: readonly RolloutObject[]): string {
  return `there are ${firstOf(all.map(({ metadata, status }) => `${metadata.name} (${status?.phase ?? 'Pending'})`))}`;
}

function firstOf(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const more = names.length - NAMES_TOLD;
  return `${names.slice(0, NAMES_TOLD).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
