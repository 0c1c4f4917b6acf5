import type { ResourceDefinition } from '../../../hub/resources/definition.ts';
import { apiVersionOf } from '../../../hub/resources/definition.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';

type Parts = Readonly<Record<string, unknown>>;

const labels = { app: 'sample' };
const selector = { matchLabels: labels };
const container = { name: 'main', image: 'nginx:1.27' };
const template = { metadata: { labels }, spec: { containers: [container] } };
const jobTemplate = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
const subjects = [
  { kind: 'User', name: 'ann' },
  { kind: 'Group', name: 'staff' },
  { kind: 'ServiceAccount', name: 'robot', namespace: 'default' },
];
/** For a key that nobody has, in the name of `sample`. */
const pem = [
  '-----BEGIN CERTIFICATE REQUEST-----',
  'MIHLMHMCAQAwETEPMA0GA1UEAwwGc2FtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0D',
  'AQcDQgAEb+VS/zhP744ZQ32ClZeouv2i4X47mWX777/afXmZhLxBWsaGHt726i9u',
  'AUlLN5CPLSXttwQvX0+tmDoSKTYrjqAAMAoGCCqGSM49BAMCA0gAMEUCIQC90OUv',
  'fZtBOE9C1YrcywwnuY05QAW2TwI9pbpMtsaA2AIgHxyh26ZHB/c5FbUQPGN4JiBC',
  'SGxGzRDKyd8/vpQ/ZWo=',
  '-----END CERTIFICATE REQUEST-----',
  '',
].join('\n');
const storage = { requests: { storage: '1Gi' } };
const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'sample' };

/** What an object of each kind must say to be valid, by kind, and by group where two kinds have one name. */
const MINIMAL: Readonly<Record<string, Parts>> = {
  CertificateSigningRequest: {
    spec: {
      request: Buffer.from(pem).toString('base64'),
      signerName: 'example.com/signer',
      usages: ['client auth'],
    },
  },
  ClusterRole: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  ClusterRoleBinding: {
    roleRef: { kind: 'ClusterRole', name: 'sample', apiGroup: 'rbac.authorization.k8s.io' },
    subjects,
  },
  ConfigMap: { data: { key: 'value' } },
  ControllerRevision: { revision: 1, data: { spec: {} } },
  CronJob: { spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template: jobTemplate } } } },
  // Valid under the one name `samples.example.com`.
  CustomResourceDefinition: {
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'samples', kind: 'Sample' },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
      ],
    },
  },
  DaemonSet: { spec: { selector, template } },
  Deployment: { spec: { selector, template } },
  AgentRelease: { spec: { version: '1.2.0', policy: 'careful' } },
  DeviceUpdate: {
    spec: {
      workload: 'sample',
      node: 'node-1',
      rollout: 'sample-2',
      wave: 'canary',
      class: 'reachable',
      step: 'Waiting',
      since: '2026-01-01T00:00:00Z',
    },
  },
  Endpoints: { subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ port: 80 }] }] },
  EndpointSlice: { addressType: 'IPv4', endpoints: [{ addresses: ['10.1.2.3'] }], ports: [{ port: 80 }] },
  Event: { involvedObject: { kind: 'Pod', namespace: 'default', name: 'sample' }, reason: 'Tested' },
  'Event.events.k8s.io': {
    regarding: { kind: 'Pod', namespace: 'default', name: 'sample' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'example.com/tester',
    reportingInstance: 'tester-1',
    action: 'Test',
    reason: 'Tested',
    type: 'Normal',
    note: 'it was tested',
  },
  GitSource: { spec: { url: 'https://git.example.com/fleet.git' } },
  HorizontalPodAutoscaler: { spec: { scaleTargetRef, maxReplicas: 3 } },
  Ingress: { spec: { defaultBackend: { service: { name: 'sample', port: { number: 80 } } } } },
  IngressClass: { spec: { controller: 'example.com/ingress' } },
  Job: { spec: { template: jobTemplate } },
  Lease: { spec: { holderIdentity: 'me' } },
  LimitRange: { spec: { limits: [{ type: 'Container', max: { cpu: '1' } }] } },
  Namespace: {},
  NetworkPolicy: { spec: { podSelector: {} } },
  Node: {},
  PersistentVolume: {
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/data' } },
  },
  PersistentVolumeClaim: { spec: { accessModes: ['ReadWriteOnce'], resources: storage } },
  Pod: { spec: { containers: [container] } },
  PodDisruptionBudget: { spec: { minAvailable: 1, selector } },
  PodTemplate: { template },
  PriorityClass: { value: 1000 },
  ReplicaSet: { spec: { selector, template } },
  ReplicationController: { spec: { template } },
  ResourceQuota: { spec: { hard: { pods: '10' } } },
  Role: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] },
  RoleBinding: { roleRef: { kind: 'Role', name: 'sample', apiGroup: 'rbac.authorization.k8s.io' }, subjects },
  Rollout: {
    spec: {
      workload: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'sample' },
      policyName: 'sample',
      policy: {},
      from: { number: 1, hash: 'a' },
      to: { number: 2, hash: 'b' },
      type: 'change',
    },
  },
  RolloutPolicy: { spec: { waves: [{ name: 'canary', limit: 5 }] } },
  RuntimeClass: { handler: 'runc' },
  Secret: { stringData: { key: 'value' } },
  Service: { spec: { selector: labels, ports: [{ port: 80 }] } },
  ServiceAccount: {},
  StatefulSet: { spec: { serviceName: 'sample', selector, template } },
  StorageClass: { provisioner: 'example.com/disks' },
  ValidatingAdmissionPolicy: {
    spec: {
      matchConstraints: {
        resourceRules: [
          { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] },
        ],
      },
      validations: [{ expression: 'true' }],
    },
  },
  ValidatingAdmissionPolicyBinding: { spec: { policyName: 'sample', validationActions: ['Deny'] } },
};

/** The name of the one that tests write; a definition's follows from what it defines. */
export function sampleName({ kind }: Pick<ResourceDefinition, 'kind'>): string {
  return kind === 'CustomResourceDefinition' ? 'samples.example.com' : 'sample';
}

/** A valid object of a kind, as a client would write it. Throws for a kind that nobody wrote one for. */
export function minimalObject(definition: ResourceDefinition, name = sampleName(definition)): KubeObject {
  const { kind, group, namespaced } = definition;
  const parts = MINIMAL[`${kind}.${group}`] ?? MINIMAL[kind];
  if (!parts) throw new Error(`test/hub/resources/minimal-objects.ts has no ${kind}`);
  return {
    apiVersion: apiVersionOf(definition),
    kind,
    metadata: { name, ...(namespaced && { namespace: 'default' }) },
    ...structuredClone(parts),
  };
}
