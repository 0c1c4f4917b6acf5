import type { RolloutObject } from '../../fleet/rollout.ts';
import type { RolloutPolicyObject } from '../../fleet/rollout-policy.ts';
import type { ApiClient } from '../api-client.ts';
import {
  findWorkload,
  firstOf,
  isOf,
  kindMeant,
  nameInFleet,
  referenceText,
  type WorkloadReference,
  withoutRollouts,
  workloadText,
} from './workload.ts';

/*
 * Words of the API and of the engine, again: to load the kinds themselves, schemas and all, would take longer than a
 * command may.
 */

export const rolloutsPath = (namespace: string) =>
  `/apis/fleet.holdfast.dev/v1/namespaces/${encodeURIComponent(namespace)}/rollouts`;
export const deviceUpdatesPath = (namespace: string) =>
  `/apis/fleet.holdfast.dev/v1/namespaces/${encodeURIComponent(namespace)}/deviceupdates`;

const WORKLOAD_LABEL = 'fleet.holdfast.dev/workload';
const LABEL_LENGTH = 63;
const OVER: readonly string[] = ['Succeeded', 'Aborted', 'Undone', 'Superseded'];

/** Nothing of it goes on by itself but devices that catch up. */
export function isOver({ status }: RolloutObject): boolean {
  return OVER.includes(status?.phase ?? '');
}

export type Reference =
  | { readonly type: 'rollout'; readonly name: string }
  | { readonly type: 'workload'; readonly workload: WorkloadReference };

/** `app-3` is a rollout, `ds/app` a DaemonSet, `deploy/app` a Deployment. Throws for anything else. */
export function parseReference(text: string): Reference {
  const [word = '', name, ...more] = text.includes('/') ? text.split('/') : ['rollout', text];
  if (!name || more.length > 0)
    throw new Error(`NAME must be a rollout, ds/NAME, deploy/NAME or ar/NAME, is "${text}"`);
  const kind = kindMeant(word);
  if (kind) return { type: 'workload', workload: { kind, name } };
  const [short = ''] = word.toLowerCase().split('.');
  if (['rollout', 'rollouts', 'ro'].includes(short)) return { type: 'rollout', name };
  throw new Error(`NAME must be a rollout, ds/NAME, deploy/NAME or ar/NAME: rollouts go over no "${word}"`);
}

/** `deploy/app`, or `app` alone for a DaemonSet where only a workload can be meant. Throws for anything else. */
export function workloadMeant(text: string): WorkloadReference {
  const reference = parseReference(text.includes('/') ? text : `ds/${text}`);
  if (reference.type === 'workload') return reference.workload;
  throw new Error(`a workload is wanted here, ds/NAME or deploy/NAME, not the rollout "${reference.name}"`);
}

/** As `workloadMeant`, where a template of pods is needed. */
export function podWorkloadMeant(text: string): WorkloadReference {
  const workload = workloadMeant(text);
  if (workload.kind !== 'AgentRelease') return workload;
  throw new Error(`a workload is wanted here, ds/NAME or deploy/NAME: an AgentRelease has no pods`);
}

/** Those of a workload, or all of the namespace; the newest first. */
export async function listRollouts(
  client: ApiClient,
  namespace: string,
  workload?: WorkloadReference,
): Promise<readonly RolloutObject[]> {
  const label = workload && `${WORKLOAD_LABEL}=${nameInFleet(workload).slice(0, LABEL_LENGTH)}`;
  const query = label ? `?labelSelector=${encodeURIComponent(label)}` : '';
  const { items } = await client.call<{ items: RolloutObject[] }>(
    'GET',
    `${rolloutsPath(namespace)}${query}`,
  );
  return newestFirst(items.filter(({ spec }) => !workload || isOf(spec.workload, workload)));
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
  const reference = parseReference(given);
  if (reference.type === 'workload') return newestOf(client, namespace, reference.workload);
  const { name } = reference;
  const found = await client.find<RolloutObject>(`${rolloutsPath(namespace)}/${encodeURIComponent(name)}`);
  if (found) return found;
  const all = await listRollouts(client, namespace);
  const meant = all.map(({ spec }) => workloadOf(spec)).find((workload) => workload.name === name);
  const hint = meant ? ` (for the newest of ${workloadText(meant)} write ${referenceText(meant)})` : '';
  throw new Error(`no rollout "${name}" in namespace "${namespace}": ${thoseThere(all)}${hint}`);
}

export function findPolicy(
  client: ApiClient,
  namespace: string,
  name: string,
): Promise<RolloutPolicyObject | undefined> {
  const path = `/apis/fleet.holdfast.dev/v1/namespaces/${encodeURIComponent(namespace)}/rolloutpolicies`;
  return client.find(`${path}/${encodeURIComponent(name)}`);
}

/** What it is a rollout of. */
export function workloadOf({ workload }: RolloutObject['spec']): WorkloadReference {
  return workload as WorkloadReference & RolloutObject['spec']['workload'];
}

async function newestOf(
  client: ApiClient,
  namespace: string,
  workload: WorkloadReference,
): Promise<RolloutObject> {
  const [newest] = await listRollouts(client, namespace, workload);
  if (newest) return newest;
  throw new Error(withoutRollouts(workload, await findWorkload(client, namespace, workload)));
}

function onlyOne(all: readonly RolloutObject[], namespace: string): RolloutObject {
  const open = all.filter((rollout) => !isOver(rollout));
  const workloads = new Set(all.map(({ spec }) => workloadText(spec.workload)));
  const [only] = open.length === 0 && workloads.size === 1 ? all : open;
  if (only && open.length <= 1) return only;
  throw new Error(
    `name a rollout, ds/NAME, deploy/NAME or ar/NAME in namespace "${namespace}": ${thoseThere(all)}`,
  );
}

function thoseThere(all: readonly RolloutObject[]): string {
  return `there are ${firstOf(all.map(({ metadata, status }) => `${metadata.name} (${status?.phase ?? 'Pending'})`))}`;
}
