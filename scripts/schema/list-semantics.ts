/**
 * How lists and maps merge, which neither source of the schema tells. A list that is not named here is replaced as
 * a whole, a map or struct that is not named merges by key.
 */
export interface FieldSemantics {
  /** How server-side apply sees a list. */
  readonly list?: 'set' | 'map';
  /** Keys of the items when `list` is `map`. */
  readonly keys?: readonly string[];
  /** How a strategic merge patch sees it: `merge`, `replace`, `retainKeys`, or `merge,retainKeys`. */
  readonly patch?: string;
  /** Key of the items in a strategic merge patch. */
  readonly patchKey?: string;
  /** Server-side apply replaces this map or struct as a whole. */
  readonly atomic?: true;
  /** The value that an absent key of a list item stands for. */
  readonly default?: string;
}

const byKey = (key: string, ...keys: string[]): FieldSemantics => ({
  list: 'map',
  keys: keys.length ? keys : [key],
  patch: 'merge',
  patchKey: key,
});
const byKeyRetaining = (key: string): FieldSemantics => ({ ...byKey(key), patch: 'merge,retainKeys' });
/** Merged by a strategic patch, replaced by an apply. */
const strategicOnly = (patchKey: string): FieldSemantics => ({ patch: 'merge', patchKey });
/** Merged by an apply, replaced by a strategic patch. */
const applyOnly = (...keys: string[]): FieldSemantics => ({ list: 'map', keys });
const MERGED_SET: FieldSemantics = { list: 'set', patch: 'merge' };
const SET: FieldSemantics = { list: 'set' };
const ATOMIC: FieldSemantics = { atomic: true };

const CONTAINER = {
  env: byKey('name'),
  ports: byKey('containerPort', 'containerPort', 'protocol'),
  volumeMounts: byKey('mountPath'),
  volumeDevices: byKey('devicePath'),
};
const CONDITIONS = { conditions: byKey('type') };
const WEBHOOKS = { webhooks: byKey('name') };
const MATCH_CONDITIONS = { matchConditions: byKey('name') };

/** Fields by component, whose name is given without `io.k8s.api.` or `io.k8s.apimachinery.pkg.apis.`. */
export const FIELD_SEMANTICS: Readonly<Record<string, Readonly<Record<string, FieldSemantics>>>> = {
  'meta.v1.ObjectMeta': { ownerReferences: byKey('uid'), finalizers: MERGED_SET },
  'core.v1.PodSpec': {
    containers: byKey('name'),
    initContainers: byKey('name'),
    ephemeralContainers: byKey('name'),
    imagePullSecrets: byKey('name'),
    schedulingGates: byKey('name'),
    volumes: byKeyRetaining('name'),
    resourceClaims: byKeyRetaining('name'),
    hostAliases: byKey('ip'),
    topologySpreadConstraints: byKey('topologyKey', 'topologyKey', 'whenUnsatisfiable'),
    nodeSelector: ATOMIC,
  },
  'core.v1.Container': CONTAINER,
  'core.v1.EphemeralContainer': CONTAINER,
  'core.v1.ContainerPort': { protocol: { default: 'TCP' } },
  'core.v1.ResourceRequirements': { claims: applyOnly('name') },
  'core.v1.PodStatus': {
    ...CONDITIONS,
    podIPs: byKey('ip'),
    hostIPs: strategicOnly('ip'),
    resourceClaimStatuses: byKeyRetaining('name'),
  },
  'core.v1.ContainerStatus': {
    volumeMounts: byKey('mountPath'),
    allocatedResourcesStatus: byKey('name'),
  },
  'core.v1.ResourceStatus': { resources: applyOnly('resourceID') },
  'core.v1.ServiceSpec': { ports: byKey('port', 'port', 'protocol'), selector: ATOMIC },
  'core.v1.ServicePort': { protocol: { default: 'TCP' } },
  'core.v1.ServiceStatus': CONDITIONS,
  'core.v1.ServiceAccount': { secrets: byKey('name') },
  'core.v1.ReplicationControllerSpec': { selector: ATOMIC },
  'core.v1.ReplicationControllerStatus': CONDITIONS,
  'core.v1.NodeSpec': { podCIDRs: MERGED_SET },
  'core.v1.NodeStatus': { ...CONDITIONS, addresses: byKey('type') },
  'core.v1.NamespaceStatus': CONDITIONS,
  'core.v1.PersistentVolumeClaimStatus': CONDITIONS,
  'core.v1.ComponentStatus': CONDITIONS,
  'apps.v1.DeploymentSpec': { strategy: { patch: 'retainKeys' } },
  'apps.v1.DeploymentStatus': CONDITIONS,
  'apps.v1.ReplicaSetStatus': CONDITIONS,
  'apps.v1.StatefulSetStatus': CONDITIONS,
  'apps.v1.DaemonSetStatus': CONDITIONS,
  'batch.v1.JobStatus': { conditions: strategicOnly('type') },
  'autoscaling.v2.HorizontalPodAutoscalerStatus': CONDITIONS,
  'policy.v1.PodDisruptionBudgetSpec': { selector: { patch: 'replace' } },
  'policy.v1.PodDisruptionBudgetStatus': CONDITIONS,
  'networking.v1.ServiceCIDRStatus': CONDITIONS,
  'certificates.v1.CertificateSigningRequestStatus': { conditions: applyOnly('type') },
  'storage.v1.CSINodeSpec': { drivers: byKey('name') },
  'storage.v1.CSIDriverSpec': { volumeLifecycleModes: SET },
  'discovery.v1.Endpoint': { addresses: SET },
  'admissionregistration.v1.MutatingWebhookConfiguration': WEBHOOKS,
  'admissionregistration.v1.ValidatingWebhookConfiguration': WEBHOOKS,
  'admissionregistration.v1.MutatingWebhook': MATCH_CONDITIONS,
  'admissionregistration.v1.ValidatingWebhook': MATCH_CONDITIONS,
  'admissionregistration.v1.ValidatingAdmissionPolicySpec': { ...MATCH_CONDITIONS, variables: byKey('name') },
  'admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec': { validationActions: SET },
};

/** Structs that server-side apply replaces as a whole wherever they occur. */
export const ATOMIC_STRUCTS: ReadonlySet<string> = new Set([
  'meta.v1.LabelSelector',
  'core.v1.ConfigMapKeySelector',
  'core.v1.EndpointAddress',
  'core.v1.EndpointPort',
  'core.v1.FileKeySelector',
  'core.v1.LocalObjectReference',
  'core.v1.NodeSelector',
  'core.v1.NodeSelectorTerm',
  'core.v1.ObjectFieldSelector',
  'core.v1.ObjectReference',
  'core.v1.ResourceFieldSelector',
  'core.v1.SecretKeySelector',
  'core.v1.SecretReference',
  'core.v1.TypedLocalObjectReference',
  'discovery.v1.EndpointPort',
]);

/** The name under which the tables above know a component. */
export function shortComponentName(component: string): string {
  return component.replace(/^io\.k8s\.(api|apimachinery\.pkg\.apis)\./, '');
}
