import type {
  DaemonSetSpec,
  DaemonSetStatus,
  DeploymentSpec,
  DeploymentStatus,
  ReplicaSetSpec,
  ReplicaSetStatus,
} from 'kubernetes-types/apps/v1.d.ts';
import type { LeaseSpec } from 'kubernetes-types/coordination/v1.d.ts';
import type {
  EventSeries,
  EventSource,
  LocalObjectReference,
  NamespaceSpec,
  NamespaceStatus,
  NodeSpec,
  NodeStatus,
  ObjectReference,
  PodSpec,
  PodStatus,
} from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from './object.ts';

/*
 * Kinds as TypeScript sees them. An object is cast to its kind (`object as PodObject`) where its definition or its
 * controller takes it up; that it has the right shape is what decoding by the schema and validation made sure of.
 */

export interface PodObject extends KubeObject {
  spec: PodSpec;
  status?: PodStatus;
}

export interface NodeObject extends KubeObject {
  spec: NodeSpec;
  status?: NodeStatus;
}

export interface NamespaceObject extends KubeObject {
  spec: NamespaceSpec;
  status?: NamespaceStatus;
}

export interface DeploymentObject extends KubeObject {
  spec: DeploymentSpec;
  status?: DeploymentStatus;
}

export interface ReplicaSetObject extends KubeObject {
  spec: ReplicaSetSpec;
  status?: ReplicaSetStatus;
}

export interface DaemonSetObject extends KubeObject {
  spec: DaemonSetSpec;
  status?: DaemonSetStatus;
}

export interface LeaseObject extends KubeObject {
  spec: LeaseSpec;
}

export interface ConfigMapObject extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
  immutable?: boolean;
}

export interface SecretObject extends KubeObject {
  type?: string;
  /** Values in base64. */
  data?: Record<string, string>;
  stringData?: Record<string, string>;
  immutable?: boolean;
}

export interface ServiceAccountObject extends KubeObject {
  secrets?: ObjectReference[];
  imagePullSecrets?: LocalObjectReference[];
  automountServiceAccountToken?: boolean;
}

export interface EventObject extends KubeObject {
  involvedObject: ObjectReference;
  reason?: string;
  message?: string;
  source?: EventSource;
  firstTimestamp?: string;
  lastTimestamp?: string;
  count?: number;
  type?: string;
  eventTime?: string;
  series?: EventSeries;
  action?: string;
  reportingComponent?: string;
  reportingInstance?: string;
}

export interface ControllerRevisionObject extends KubeObject {
  data?: unknown;
  revision: number;
}
