import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { Revision } from '../../fleet/rollout.ts';
import type { Registry } from '../../registry/registry.ts';
import type { ResourceDefinition } from '../../resources/definition.ts';
import type { KubeObject } from '../../resources/object.ts';
import type { NodeObject, PodObject } from '../../resources/typed.ts';

/** A DaemonSet or a Deployment, as far as rollouts look at it. */
export interface Workload extends KubeObject {
  spec: { template: PodTemplateSpec };
}

/** A revision of a workload with what it is a revision of. */
export interface Version extends Revision {
  readonly template: PodTemplateSpec;
}

/** A pod to be made on a device. */
export interface NewPod {
  readonly version: Version;
  readonly node: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A kind of workload that rollouts change: what is different about it. Everything else is the same engine. */
export interface WorkloadKind {
  readonly resource: ResourceDefinition;
  /** What keeps its history. */
  readonly revisions: ResourceDefinition;
  /** The workload that a pod, or one of its revisions, is of. */
  workloadOf(registry: Registry, object: KubeObject): Workload | undefined;
  history(registry: Registry, workload: Workload): readonly Version[];
  /** The revision of the present template; undefined until it is recorded, and as the newest. */
  current(registry: Registry, workload: Workload): Version | undefined;
  /** All its pods. */
  pods(registry: Registry, workload: Workload): readonly PodObject[];
  /** The hash of the revision that a pod is of. */
  hashOf(pod: PodObject): string | undefined;
  /** The devices that it runs on, by what of its pods is there. */
  runsOn(workload: Workload, node: NodeObject, there: readonly PodObject[]): boolean;
  /** Whether a change of the node may change where it runs. */
  isConcerned(registry: Registry, workload: Workload, node: NodeObject): boolean;
  newPod(registry: Registry, workload: Workload, pod: NewPod): KubeObject | undefined;
}
