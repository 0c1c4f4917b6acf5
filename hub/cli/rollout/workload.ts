import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { AgentReleaseObject } from '../../fleet/agent-release.ts';
import type {
  ControllerRevisionObject,
  DaemonSetObject,
  DeploymentObject,
  PodObject,
  ReplicaSetObject,
} from '../../resources/typed.ts';
import type { ApiClient } from '../api-client.ts';

/*
 * The workloads that rollouts change, as clients see them. Words of the API and of the engine, again: to load the kinds
 * themselves, schemas and all, would take longer than a command may.
 */

export const POLICY_ANNOTATION = 'fleet.holdfast.dev/rollout-policy';
const CHANGE_CAUSE = 'kubernetes.io/change-cause';
const REVISION = 'deployment.kubernetes.io/revision';
const NAMES_TOLD = 10;

export type WorkloadKind = 'DaemonSet' | 'Deployment' | 'AgentRelease';

/** Which one, in its namespace. */
export interface WorkloadReference {
  readonly kind: WorkloadKind;
  readonly name: string;
}

export type WorkloadObject = DaemonSetObject | DeploymentObject;

/** An AgentRelease is read as workloads are, and looked at as what it is where it matters. */
export function asRelease(workload: WorkloadObject): AgentReleaseObject | undefined {
  return workload.kind === 'AgentRelease' ? (workload as unknown as AgentReleaseObject) : undefined;
}

/** The RolloutPolicy that it refers to. */
export function policyOf(workload: WorkloadObject): string | undefined {
  return asRelease(workload)?.spec.policy ?? workload.metadata.annotations?.[POLICY_ANNOTATION];
}

const WORDS: Readonly<
  Record<
    WorkloadKind,
    { path: string; group: string; short: string; known: readonly string[]; hashLabel: string }
  >
> = {
  DaemonSet: {
    path: 'daemonsets',
    group: 'apps',
    short: 'ds',
    known: ['ds', 'daemonset', 'daemonsets'],
    hashLabel: 'controller-revision-hash',
  },
  Deployment: {
    path: 'deployments',
    group: 'apps',
    short: 'deploy',
    known: ['deploy', 'deployment', 'deployments'],
    hashLabel: 'pod-template-hash',
  },
  AgentRelease: {
    path: 'agentreleases',
    group: 'fleet.holdfast.dev',
    short: 'ar',
    known: ['ar', 'agentrelease', 'agentreleases'],
    hashLabel: 'controller-revision-hash',
  },
};
const KINDS: readonly WorkloadKind[] = ['DaemonSet', 'Deployment', 'AgentRelease'];
const PREFIXES: Readonly<Record<WorkloadKind, string>> = {
  DaemonSet: '',
  Deployment: 'deploy-',
  AgentRelease: 'agent-',
};

/** The kind that somebody means by `ds` or `deployments`. */
export function kindMeant(word: string): WorkloadKind | undefined {
  const [short = ''] = word.toLowerCase().split('.');
  return KINDS.find((kind) => WORDS[kind].known.includes(short));
}

/** `ds/app` */
export function referenceText({ kind, name }: WorkloadReference): string {
  return `${WORDS[kind].short}/${name}`;
}

/** `DaemonSet app` */
export function workloadText({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return `${kind} ${name}`;
}

/** How the objects of its rollouts are named after it. */
export function nameInFleet({ kind, name }: WorkloadReference): string {
  return `${PREFIXES[kind]}${name}`;
}

/** What its pods carry the hash of their revision as. */
export function hashLabelOf(kind: WorkloadKind): string {
  return WORDS[kind].hashLabel;
}

/** Of objects that name it in their `spec.workload`, or as their owner. */
export function isOf(
  named: { readonly kind: string; readonly name: string },
  one: WorkloadReference,
): boolean {
  return named.kind === one.kind && named.name === one.name;
}

export function workloadsPath(namespace: string, kind: WorkloadKind): string {
  const { group, path } = WORDS[kind];
  return `/apis/${group}/v1/namespaces/${encodeURIComponent(namespace)}/${path}`;
}

export function workloadPath(namespace: string, { kind, name }: WorkloadReference): string {
  return `${workloadsPath(namespace, kind)}/${encodeURIComponent(name)}`;
}

export async function findWorkload(
  client: ApiClient,
  namespace: string,
  reference: WorkloadReference,
): Promise<WorkloadObject> {
  const found = await client.find<WorkloadObject>(workloadPath(namespace, reference));
  if (!found) throw await noWorkload(client, namespace, reference);
  return found;
}

export async function noWorkload(
  client: ApiClient,
  namespace: string,
  { kind, name }: WorkloadReference,
): Promise<Error> {
  const { items } = await client.call<{ items: WorkloadObject[] }>('GET', workloadsPath(namespace, kind));
  const names = items.map(({ metadata }) => metadata.name ?? '');
  return new Error(`no ${kind} "${name}" in namespace "${namespace}": there are ${firstOf(names)}`);
}

/** What to say of one that has no rollout. */
export function withoutRollouts({ kind, name }: WorkloadReference, workload: WorkloadObject): string {
  const policy = policyOf(workload);
  const problem = asRelease(workload)?.status?.message;
  if (problem) return `${kind} "${name}" waits: ${problem}`;
  return policy
    ? `${kind} "${name}" has no rollout yet: there is one once its template changes (RolloutPolicy "${policy}")`
    : `${kind} "${name}" has no rollouts: it refers to no RolloutPolicy (annotation ${POLICY_ANNOTATION}); follow it with "kubectl rollout status ${referenceText({ kind, name })}"`;
}

/** One of the templates that the hub keeps of a workload. */
export interface Version {
  readonly number: number;
  readonly hash: string;
  readonly template: PodTemplateSpec;
  readonly createdAt: string | undefined;
  readonly cause: string | undefined;
  /** What keeps it: a ControllerRevision or a ReplicaSet. */
  readonly record: ControllerRevisionObject | ReplicaSetObject;
}

/** The history of a workload's templates, the newest first. */
export async function versionsOf(
  client: ApiClient,
  kind: WorkloadKind,
  { metadata, spec }: WorkloadObject,
): Promise<readonly Version[]> {
  const selector = kind === 'AgentRelease' ? {} : (spec.selector.matchLabels ?? {});
  const labels = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  const records = kind === 'Deployment' ? 'replicasets' : 'controllerrevisions';
  const path = `/apis/apps/v1/namespaces/${metadata.namespace}/${records}`;
  const { items } = await client.call<{ items: Version['record'][] }>(
    'GET',
    `${path}?labelSelector=${encodeURIComponent(labels.join(','))}`,
  );
  return items
    .filter((each) => each.metadata.ownerReferences?.some(({ uid }) => uid === metadata.uid))
    .map(versionOf)
    .toSorted((a, b) => b.number - a.number);
}

export function versionOf(record: Version['record']): Version {
  const { labels = {}, annotations = {}, creationTimestamp: createdAt } = record.metadata;
  const common = { createdAt, cause: annotations[CHANGE_CAUSE], record };
  if ('revision' in record) {
    const { data, revision } = record as ControllerRevisionObject;
    const { spec } = data as { spec: { template?: PodTemplateSpec & { $patch?: string } } };
    const { $patch: _, ...template } = spec.template ?? {}; // of an AgentRelease, the hash is the version
    return { ...common, number: revision, hash: labels[hashLabelOf('DaemonSet')] ?? '', template };
  }
  const label = hashLabelOf('Deployment');
  const { template = {} } = (record as ReplicaSetObject).spec;
  const { [label]: hash = '', ...others } = template.metadata?.labels ?? {};
  return {
    ...common,
    number: Number.parseInt(annotations[REVISION] ?? '0', 10) || 0,
    hash,
    template: { ...template, metadata: { ...template.metadata, labels: others } },
  };
}

/** The live pods that a selector selects, with more conditions on their fields. */
export async function podsOf(
  client: ApiClient,
  namespace: string,
  { matchLabels = {} }: LabelSelector,
  fields = '',
): Promise<readonly PodObject[]> {
  const labels = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const query = new URLSearchParams({ labelSelector: labels.join(','), fieldSelector: fields });
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods?${query}`;
  const { items } = await client.call<{ items: PodObject[] }>('GET', path);
  return items.filter(({ metadata }) => !metadata.deletionTimestamp);
}

export function firstOf(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const more = names.length - NAMES_TOLD;
  return `${names.slice(0, NAMES_TOLD).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
