import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { PodUpdate } from '../../../proto/pod-update.ts';
import type { Revision, RolloutObject } from '../../fleet/rollout.ts';
import type { Registry } from '../../registry/registry.ts';
import type { ResourceDefinition } from '../../resources/definition.ts';
import type { KubeObject } from '../../resources/object.ts';
import type { NodeObject, PodObject } from '../../resources/typed.ts';

/** A DaemonSet or a Deployment, as far as rollouts look at it. */
export interface Workload extends KubeObject {
  spec: { template: PodTemplateSpec };
}

/** A revision of a workload of pods with what it is a revision of. */
export interface Version extends Revision {
  readonly template: PodTemplateSpec;
}

/** What one device is to be told. */
export interface Offering {
  readonly rollout: RolloutObject;
  readonly node: string;
  /** The pod of the new revision that is there already. */
  readonly next: PodObject | undefined;
  readonly update: PodUpdate;
  /** How often it was asked anew. */
  readonly retries: number;
}

/** A kind of workload that rollouts change: what is different about it. Everything else is the same engine. */
export interface WorkloadKind {
  readonly resource: ResourceDefinition;
  /** What keeps its history. */
  readonly revisions: ResourceDefinition;
  /** The workload that a pod, or one of its revisions, is of. */
  workloadOf(registry: Registry, object: KubeObject): KubeObject | undefined;
  history(registry: Registry, workload: KubeObject): readonly Revision[];
  /** The revision of the present template; undefined until it is recorded, and as the newest. */
  current(registry: Registry, workload: KubeObject): Revision | undefined;
  /** All its pods. */
  pods(registry: Registry, workload: KubeObject): readonly PodObject[];
  /** The hash of the revision that a pod is of. */
  hashOf(pod: PodObject): string | undefined;
  /** The devices that it runs on, by what of its pods is there. */
  runsOn(workload: KubeObject, node: NodeObject, there: readonly PodObject[]): boolean;
  /** Whether a change of the node may change where it runs. */
  isConcerned(registry: Registry, workload: KubeObject, node: NodeObject): boolean;
  /** What of a node this kind looks at besides that it is a place for pods: another text is another state. */
  stateOf?(node: NodeObject): string;
  /** Has the device take up the new revision, or tells it something else about that. */
  offer(registry: Registry, workload: KubeObject, offering: Offering): Promise<void>;
  /** Takes a pod away: of the revision before, or one that the device did not take. */
  remove(registry: Registry, workload: KubeObject, pod: PodObject): Promise<void>;
  /** The workload at the revision `to`, if it is at `from`; as it is when it is not, or can not be. */
  goneBack(registry: Registry, workload: KubeObject, from: Revision, to: Revision): KubeObject;
}

/** One whose revisions are pods of a template. */
export interface PodWorkloadKind extends WorkloadKind {
  workloadOf(registry: Registry, object: KubeObject): Workload | undefined;
  history(registry: Registry, workload: KubeObject): readonly Version[];
  current(registry: Registry, workload: KubeObject): Version | undefined;
}
