import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { REVISION } from '../../resources/deployment.ts';
import type { KubeObject } from '../../resources/object.ts';
import { replicaSets } from '../../resources/table-of-resources.ts';
import type { DeploymentObject, ReplicaSetObject } from '../../resources/typed.ts';
import { SEEN_ANNOTATION } from '../configuration-seen.ts';
import { canonicalJson, stableHash } from '../stable-hash.ts';

export const HASH_LABEL = 'pod-template-hash';
export const REVISION_HISTORY = 'deployment.kubernetes.io/revision-history';
export const DESIRED_REPLICAS = 'deployment.kubernetes.io/desired-replicas';
export const MAX_REPLICAS = 'deployment.kubernetes.io/max-replicas';

/** With `last-applied-configuration` inherited, `kubectl apply --prune` would delete the ReplicaSets. */
const NOT_INHERITED: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  REVISION,
  REVISION_HISTORY,
  DESIRED_REPLICAS,
  MAX_REPLICAS,
  SEEN_ANNOTATION,
]);

export interface Generations {
  /** The one of the current template, if it exists. */
  readonly current: ReplicaSetObject | undefined;
  /** All others, the oldest first. */
  readonly old: readonly ReplicaSetObject[];
}

const texts = new WeakMap<object, string>(); // objects never change, so neither do their templates' texts

function templateText(owner: { spec: { template?: PodTemplateSpec } }): string {
  const known = texts.get(owner);
  if (known !== undefined) return known;
  const { template } = owner.spec;
  const { [HASH_LABEL]: _, ...labels } = template?.metadata?.labels ?? {};
  const text = canonicalJson({ ...template, metadata: { ...template?.metadata, labels } });
  texts.set(owner, text);
  return text;
}

function byAge(a: KubeObject, b: KubeObject): number {
  const order = (object: KubeObject) => `${object.metadata.creationTimestamp} ${object.metadata.name}`;
  return order(a) < order(b) ? -1 : 1;
}

/** Which ReplicaSet is of the current template: the oldest, should there be several. */
export function sortGenerations(
  deployment: DeploymentObject,
  sets: readonly ReplicaSetObject[],
): Generations {
  const sorted = sets.toSorted(byAge);
  const text = templateText(deployment);
  const current = sorted.find((set) => templateText(set) === text);
  return { current, old: sorted.filter((set) => set !== current) };
}

export function revisionOf({ metadata }: KubeObject): number {
  return Number.parseInt(metadata.annotations?.[REVISION] ?? '0', 10) || 0;
}

/** The revision that the current template's ReplicaSet has or gets: above every other's. */
export function nextRevision({ current, old }: Generations): number {
  const newestOld = Math.max(0, ...old.map(revisionOf));
  const own = current ? revisionOf(current) : 0;
  return own > newestOld ? own : newestOld + 1;
}

/** The annotations that the current ReplicaSet should have: the Deployment's, and the record of its revisions. */
export function annotationsFor(
  deployment: DeploymentObject,
  set: ReplicaSetObject | undefined,
  revision: number,
): Record<string, string> {
  const annotations = { ...set?.metadata.annotations };
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {}))
    if (!NOT_INHERITED.has(key)) annotations[key] = value;
  const before = set ? revisionOf(set) : 0;
  if (before !== 0 && before !== revision) {
    const history = annotations[REVISION_HISTORY];
    annotations[REVISION_HISTORY] = history ? `${history},${before}` : `${before}`;
  }
  annotations[REVISION] = `${revision}`;
  return annotations;
}

/** How scaling leaves its mark: a later change of `spec.replicas` is told from a rollout by it. */
export function scaleAnnotations(replicas: number, maxReplicas: number): Record<string, string> {
  return { [DESIRED_REPLICAS]: `${replicas}`, [MAX_REPLICAS]: `${maxReplicas}` };
}

export function templateHash(deployment: DeploymentObject): string {
  return stableHash(deployment.spec.template, deployment.status?.collisionCount ?? 0);
}

/** The ReplicaSet of the current template, to be created. */
export function newReplicaSet(
  deployment: DeploymentObject,
  owner: NonNullable<KubeObject['metadata']['ownerReferences']>[number],
  { replicas, annotations }: { replicas: number; annotations: Record<string, string> },
): KubeObject {
  const { selector, template, minReadySeconds } = deployment.spec;
  const { namespace, name = '' } = deployment.metadata;
  const hash = templateHash(deployment);
  const labels = { ...template.metadata?.labels, [HASH_LABEL]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: replicaSets.kind,
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace && { namespace }),
      labels,
      annotations,
      ownerReferences: [owner],
    },
    spec: {
      replicas,
      ...(minReadySeconds && { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
