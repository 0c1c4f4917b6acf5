import type { PolicyRule, Subject } from 'kubernetes-types/rbac/v1.d.ts';

/* The roles and bindings that every cluster has, as Kubernetes 1.34 has them, without those of parts that the hub is itself. */

const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const READ_WRITE = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';

/** A role as the table below has it. */
export interface DefaultRole {
  readonly name: string;
  readonly rules?: readonly PolicyRule[];
  /** Its rules become part of these roles. */
  readonly aggregateTo?: string;
  /** Its rules are those of all roles that aggregate to it. */
  readonly isAggregate?: boolean;
}

export interface DefaultBinding {
  /** Of the binding and of its role. */
  readonly name: string;
  readonly subjects: readonly Subject[];
}

const onResources = (group: string, resources: string, verbs: readonly string[]): PolicyRule => ({
  apiGroups: [group],
  resources: resources.split(' '),
  verbs: [...verbs],
});

const onSigner = (signer: string): PolicyRule => ({
  apiGroups: ['certificates.k8s.io'],
  resources: ['signers'],
  resourceNames: [signer],
  verbs: ['approve'],
});

const onPaths = (paths: string): PolicyRule => ({ nonResourceURLs: paths.split(' '), verbs: ['get'] });

const VIEW: readonly PolicyRule[] = [
  onResources(
    '',
    'configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status',
    READ,
  ),
  onResources(
    '',
    'bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status',
    READ,
  ),
  onResources('', 'namespaces', READ),
  onResources('discovery.k8s.io', 'endpointslices', READ),
  onResources(
    'apps',
    'controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status',
    READ,
  ),
  onResources('autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status', READ),
  onResources('batch', 'cronjobs cronjobs/status jobs jobs/status', READ),
  onResources(
    'extensions',
    'daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale',
    READ,
  ),
  onResources('policy', 'poddisruptionbudgets poddisruptionbudgets/status', READ),
  onResources('networking.k8s.io', 'ingresses ingresses/status networkpolicies', READ),
];

const EDIT: readonly PolicyRule[] = [
  onResources('', 'pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy', READ),
  onResources('', 'serviceaccounts', ['impersonate']),
  onResources('', 'pods pods/attach pods/exec pods/portforward pods/proxy', WRITE),
  onResources('', 'pods/eviction', ['create']),
  onResources(
    '',
    'configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy',
    WRITE,
  ),
  onResources('', 'serviceaccounts/token', ['create']),
  onResources(
    'apps',
    'daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale',
    WRITE,
  ),
  onResources('autoscaling', 'horizontalpodautoscalers', WRITE),
  onResources('batch', 'cronjobs jobs', WRITE),
  onResources(
    'extensions',
    'daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies replicasets replicasets/scale replicationcontrollers/scale',
    WRITE,
  ),
  onResources('policy', 'poddisruptionbudgets', WRITE),
  onResources('networking.k8s.io', 'ingresses networkpolicies', WRITE),
  onResources('coordination.k8s.io', 'leases', READ_WRITE),
];

const ADMIN: readonly PolicyRule[] = [
  onResources('authorization.k8s.io', 'localsubjectaccessreviews', ['create']),
  onResources('rbac.authorization.k8s.io', 'rolebindings roles', READ_WRITE),
];

const CSR = 'system:certificates.k8s.io:certificatesigningrequests';

export const DEFAULT_CLUSTER_ROLES: readonly DefaultRole[] = [
  {
    name: 'cluster-admin',
    rules: [onResources('*', '*', ['*']), { nonResourceURLs: ['*'], verbs: ['*'] }],
  },
  { name: 'admin', isAggregate: true },
  { name: 'edit', isAggregate: true, aggregateTo: 'admin' },
  { name: 'view', isAggregate: true, aggregateTo: 'edit' },
  { name: 'system:aggregate-to-admin', aggregateTo: 'admin', rules: ADMIN },
  { name: 'system:aggregate-to-edit', aggregateTo: 'edit', rules: EDIT },
  { name: 'system:aggregate-to-view', aggregateTo: 'view', rules: VIEW },
  // In Kubernetes it comes with the metrics server.
  {
    name: 'system:aggregated-metrics-reader',
    aggregateTo: 'view',
    rules: [onResources('metrics.k8s.io', 'nodes pods', READ)],
  },
  {
    name: 'system:basic-user',
    rules: [
      onResources('authorization.k8s.io', 'selfsubjectaccessreviews selfsubjectrulesreviews', ['create']),
      onResources('authentication.k8s.io', 'selfsubjectreviews', ['create']),
    ],
  },
  {
    name: 'system:discovery',
    rules: [
      onPaths('/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/'),
    ],
  },
  {
    name: 'system:public-info-viewer',
    rules: [onPaths('/healthz /livez /readyz /version /version/')],
  },
  {
    name: 'system:monitoring',
    rules: [onPaths('/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*')],
  },
  {
    name: 'system:service-account-issuer-discovery',
    rules: [
      onPaths(
        '/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/',
      ),
    ],
  },
  {
    name: 'system:auth-delegator',
    rules: [
      onResources('authentication.k8s.io', 'tokenreviews', ['create']),
      onResources('authorization.k8s.io', 'subjectaccessreviews', ['create']),
    ],
  },
  {
    name: 'system:node-bootstrapper',
    rules: [
      onResources('certificates.k8s.io', 'certificatesigningrequests', ['create', 'get', 'list', 'watch']),
    ],
  },
  {
    name: `${CSR}:nodeclient`,
    rules: [onResources('certificates.k8s.io', 'certificatesigningrequests/nodeclient', ['create'])],
  },
  {
    name: `${CSR}:selfnodeclient`,
    rules: [onResources('certificates.k8s.io', 'certificatesigningrequests/selfnodeclient', ['create'])],
  },
  {
    name: 'system:certificates.k8s.io:kube-apiserver-client-approver',
    rules: [onSigner('kubernetes.io/kube-apiserver-client')],
  },
  {
    name: 'system:certificates.k8s.io:kube-apiserver-client-kubelet-approver',
    rules: [onSigner('kubernetes.io/kube-apiserver-client-kubelet')],
  },
];

const group = (name: string): Subject => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name });

const AUTHENTICATED = group('system:authenticated');

export const DEFAULT_CLUSTER_ROLE_BINDINGS: readonly DefaultBinding[] = [
  { name: 'cluster-admin', subjects: [group('system:masters')] },
  { name: 'system:basic-user', subjects: [AUTHENTICATED] },
  { name: 'system:discovery', subjects: [AUTHENTICATED] },
  { name: 'system:monitoring', subjects: [group('system:monitoring')] },
  { name: 'system:public-info-viewer', subjects: [AUTHENTICATED, group('system:unauthenticated')] },
  { name: 'system:service-account-issuer-discovery', subjects: [group('system:serviceaccounts')] },
];

/** The label by which a role becomes part of another. */
export function aggregationLabel(role: string): Readonly<Record<string, string>> {
  return { [`${AGGREGATE}${role}`]: 'true' };
}
