import type {
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
} from 'kubernetes-types/admissionregistration/v1.d.ts';
import type {
  DaemonSetSpec,
  DaemonSetStatus,
  DeploymentSpec,
  DeploymentStatus,
  ReplicaSetSpec,
  ReplicaSetStatus,
  StatefulSetSpec,
  StatefulSetStatus,
} from 'kubernetes-types/apps/v1.d.ts';
import type {
  HorizontalPodAutoscalerSpec,
  HorizontalPodAutoscalerStatus,
} from 'kubernetes-types/autoscaling/v2.d.ts';
import type { CronJobSpec, CronJobStatus, JobSpec, JobStatus } from 'kubernetes-types/batch/v1.d.ts';
import type {
  CertificateSigningRequestSpec,
  CertificateSigningRequestStatus,
} from 'kubernetes-types/certificates/v1.d.ts';
import type { LeaseSpec } from 'kubernetes-types/coordination/v1.d.ts';
import type {
  EndpointSubset,
  EventSeries,
  EventSource,
  LimitRangeSpec,
  LocalObjectReference,
  NamespaceSpec,
  NamespaceStatus,
  NodeSpec,
  NodeStatus,
  ObjectReference,
  PersistentVolumeClaimSpec,
  PersistentVolumeClaimStatus,
  PersistentVolumeSpec,
  PersistentVolumeStatus,
  PodSpec,
  PodStatus,
  PodTemplateSpec,
  ReplicationControllerSpec,
  ReplicationControllerStatus,
  ResourceQuotaSpec,
  ResourceQuotaStatus,
  ServiceSpec,
  ServiceStatus,
  Toleration,
  TopologySelectorTerm,
} from 'kubernetes-types/core/v1.d.ts';
import type { Endpoint, EndpointPort } from 'kubernetes-types/discovery/v1.d.ts';
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type {
  IngressClassSpec,
  IngressSpec,
  IngressStatus,
  NetworkPolicySpec,
} from 'kubernetes-types/networking/v1.d.ts';
import type { PodDisruptionBudgetSpec, PodDisruptionBudgetStatus } from 'kubernetes-types/policy/v1.d.ts';
import type { PolicyRule, Subject } from 'kubernetes-types/rbac/v1.d.ts';
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

export interface StatefulSetObject extends KubeObject {
  spec: StatefulSetSpec;
  status?: StatefulSetStatus;
}

export interface ReplicationControllerObject extends KubeObject {
  spec: ReplicationControllerSpec;
  status?: ReplicationControllerStatus;
}

export interface PodTemplateObject extends KubeObject {
  template?: PodTemplateSpec;
}

export interface JobObject extends KubeObject {
  spec: JobSpec;
  status?: JobStatus;
}

export interface CronJobObject extends KubeObject {
  spec: CronJobSpec;
  status?: CronJobStatus;
}

export interface ServiceObject extends KubeObject {
  spec: ServiceSpec;
  status?: ServiceStatus;
}

export interface EndpointsObject extends KubeObject {
  subsets?: EndpointSubset[];
}

export interface EndpointSliceObject extends KubeObject {
  addressType: string;
  endpoints: Endpoint[];
  ports?: EndpointPort[];
}

export interface IngressObject extends KubeObject {
  spec: IngressSpec;
  status?: IngressStatus;
}

export interface IngressClassObject extends KubeObject {
  spec: IngressClassSpec;
}

export interface NetworkPolicyObject extends KubeObject {
  spec: NetworkPolicySpec;
}

export interface PodDisruptionBudgetObject extends KubeObject {
  spec: PodDisruptionBudgetSpec;
  status?: PodDisruptionBudgetStatus;
}

export interface HorizontalPodAutoscalerObject extends KubeObject {
  spec: HorizontalPodAutoscalerSpec;
  status?: HorizontalPodAutoscalerStatus;
}

export interface PriorityClassObject extends KubeObject {
  value: number;
  globalDefault?: boolean;
  description?: string;
  preemptionPolicy?: string;
}

export interface StorageClassObject extends KubeObject {
  provisioner: string;
  parameters?: Record<string, string>;
  reclaimPolicy?: string;
  mountOptions?: string[];
  allowVolumeExpansion?: boolean;
  volumeBindingMode?: string;
  allowedTopologies?: TopologySelectorTerm[];
}

export interface PersistentVolumeObject extends KubeObject {
  spec: PersistentVolumeSpec & { volumeAttributesClassName?: string };
  status?: PersistentVolumeStatus;
}

export interface PersistentVolumeClaimObject extends KubeObject {
  spec: PersistentVolumeClaimSpec;
  status?: PersistentVolumeClaimStatus;
}

export interface ResourceQuotaObject extends KubeObject {
  spec: ResourceQuotaSpec;
  status?: ResourceQuotaStatus;
}

export interface LimitRangeObject extends KubeObject {
  spec: LimitRangeSpec;
}

export interface CertificateSigningRequestObject extends KubeObject {
  spec: Omit<CertificateSigningRequestSpec, 'extra'> & { extra?: Record<string, string[]> };
  status?: CertificateSigningRequestStatus;
}

export interface RoleObject extends KubeObject {
  rules?: PolicyRule[];
  aggregationRule?: { clusterRoleSelectors?: LabelSelector[] };
}

export interface RoleBindingObject extends KubeObject {
  roleRef: { apiGroup?: string; kind: string; name: string };
  subjects?: Subject[];
}

export interface RuntimeClassObject extends KubeObject {
  handler: string;
  overhead?: { podFixed?: Record<string, string> };
  scheduling?: { nodeSelector?: Record<string, string>; tolerations?: Toleration[] };
}

export interface AdmissionPolicyObject extends KubeObject {
  spec: ValidatingAdmissionPolicySpec;
}

export interface AdmissionPolicyBindingObject extends KubeObject {
  spec: ValidatingAdmissionPolicyBindingSpec;
}
