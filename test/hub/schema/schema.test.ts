import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { type Field, type Schema, schemaNames, schemaOf } from '../../../hub/schema/schema.ts';
import { ensureSchema, generateComponents, SCHEMA_FILE } from '../../../scripts/generate-schema.ts';
import { nameComponent } from '../../../scripts/schema/component-names.ts';
import { readDescriptors } from '../../../scripts/schema/descriptors.ts';
import { readModels } from '../../../scripts/schema/models.ts';

ensureSchema();

/** The field at a path of names, through lists and maps. */
function fieldAt(component: string, path: string): Field | undefined {
  let schema: Schema = schemaOf(component);
  let field: Field | undefined;
  for (const name of path.split('.')) {
    while (schema.type === 'list' || schema.type === 'map') {
      schema = schema.type === 'list' ? schema.items : schema.values;
    }
    field = schema.type === 'object' ? schema.fields.get(name) : undefined;
    if (!field) return undefined;
    schema = field.schema;
  }
  return field;
}

test('the generator writes the same bytes each time', (t) => {
  const lines = Object.entries(generateComponents()).map(
    ([name, component]) => `${JSON.stringify(name)}:${JSON.stringify(component)}`,
  );
  t.equal(
    readFileSync(SCHEMA_FILE, 'utf8'),
    `{\n${lines.join(',\n')}\n}\n`,
    'run npm run generate if this fails',
  );
  t.end();
});

test('every kind that the hub may serve has a schema that can be built', (t) => {
  const kinds: [string, string][] = [
    ['io.k8s.api.core.v1.Pod', 'v1 Pod'],
    ['io.k8s.api.core.v1.Event', 'v1 Event'],
    ['io.k8s.api.apps.v1.Deployment', 'apps/v1 Deployment'],
    ['io.k8s.api.apps.v1.DeploymentList', 'apps/v1 DeploymentList'],
    ['io.k8s.api.batch.v1.CronJob', 'batch/v1 CronJob'],
    ['io.k8s.api.autoscaling.v1.Scale', 'autoscaling/v1 Scale'],
    ['io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler', 'autoscaling/v2 HorizontalPodAutoscaler'],
    ['io.k8s.api.policy.v1.Eviction', 'policy/v1 Eviction'],
    ['io.k8s.api.coordination.v1.Lease', 'coordination.k8s.io/v1 Lease'],
    ['io.k8s.api.events.v1.Event', 'events.k8s.io/v1 Event'],
    ['io.k8s.api.rbac.v1.ClusterRole', 'rbac.authorization.k8s.io/v1 ClusterRole'],
    ['io.k8s.api.authentication.v1.TokenRequest', 'authentication.k8s.io/v1 TokenRequest'],
    ['io.k8s.api.authorization.v1.SubjectAccessReview', 'authorization.k8s.io/v1 SubjectAccessReview'],
    [
      'io.k8s.api.certificates.v1.CertificateSigningRequest',
      'certificates.k8s.io/v1 CertificateSigningRequest',
    ],
    ['io.k8s.api.discovery.v1.EndpointSlice', 'discovery.k8s.io/v1 EndpointSlice'],
    ['io.k8s.api.networking.v1.Ingress', 'networking.k8s.io/v1 Ingress'],
    ['io.k8s.api.node.v1.RuntimeClass', 'node.k8s.io/v1 RuntimeClass'],
    ['io.k8s.api.scheduling.v1.PriorityClass', 'scheduling.k8s.io/v1 PriorityClass'],
    ['io.k8s.api.storage.v1.StorageClass', 'storage.k8s.io/v1 StorageClass'],
    [
      'io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration',
      'admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration',
    ],
    [
      'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
      'apiextensions.k8s.io/v1 CustomResourceDefinition',
    ],
    ['io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions', 'v1 DeleteOptions'],
    ['io.k8s.apimachinery.pkg.apis.meta.v1.Status', 'v1 Status'],
  ];
  for (const [component, expected] of kinds) {
    const [kind] = schemaOf(component).kinds ?? [];
    t.equal(`${kind?.group ? `${kind.group}/` : ''}${kind?.version} ${kind?.kind}`, expected);
  }
  for (const name of schemaNames()) schemaOf(name);
  t.throws(() => schemaOf('io.k8s.api.apps.v1.Toaster'), /Toaster/);
  t.end();
});

test('fields have the types that the API gives them', (t) => {
  const types: [component: string, path: string, type: string][] = [
    ['io.k8s.api.apps.v1.Deployment', 'spec.replicas', 'int32'],
    ['io.k8s.api.apps.v1.Deployment', 'status.observedGeneration', 'int64'],
    ['io.k8s.api.apps.v1.Deployment', 'spec.strategy.rollingUpdate.maxSurge', 'int-or-string'],
    ['io.k8s.api.core.v1.Pod', 'spec.containers.resources.limits', 'map'],
    ['io.k8s.api.core.v1.Pod', 'spec.volumes.emptyDir.sizeLimit', 'quantity'],
    ['io.k8s.api.core.v1.Pod', 'metadata.creationTimestamp', 'time'],
    ['io.k8s.api.core.v1.Pod', 'metadata.managedFields.fieldsV1', 'any'],
    ['io.k8s.api.core.v1.Pod', 'spec.hostNetwork', 'boolean'],
    ['io.k8s.api.core.v1.Secret', 'data', 'map'],
    ['io.k8s.api.core.v1.Event', 'eventTime', 'microtime'],
    ['io.k8s.api.coordination.v1.Lease', 'spec.renewTime', 'microtime'],
    ['io.k8s.api.certificates.v1.CertificateSigningRequest', 'spec.request', 'bytes'],
  ];
  for (const [component, path, type] of types) {
    t.equal(fieldAt(component, path)?.schema.type, type, `${component} ${path} is ${type}`);
  }
  t.match(fieldAt('io.k8s.api.core.v1.Pod', 'spec.containers.resources.limits')?.schema, {
    values: { type: 'quantity' },
  });
  t.match(fieldAt('io.k8s.api.core.v1.Secret', 'data')?.schema, { values: { type: 'bytes' } });
  t.equal(fieldAt('io.k8s.api.core.v1.Pod', 'spec.containers')?.required, true, 'a pod must have containers');
  t.notOk(fieldAt('io.k8s.api.core.v1.Pod', 'spec.volumes')?.required);
  t.match(fieldAt('io.k8s.api.core.v1.Pod', 'spec.containers.image')?.description, /^Container image name/);
  t.match(
    fieldAt('io.k8s.api.apps.v1.Deployment', 'spec.selector')?.description,
    /^Label selector for pods/,
    'fields whose type is a struct are described too',
  );
  t.end();
});

test('lists and maps say how they merge', (t) => {
  const pod = 'io.k8s.api.core.v1.Pod';
  const lists: [component: string, path: string, expected: object][] = [
    [pod, 'spec.containers', { listType: 'map', mapKeys: ['name'], patchMergeKey: 'name' }],
    [
      pod,
      'spec.containers.ports',
      { mapKeys: ['containerPort', 'protocol'], patchMergeKey: 'containerPort' },
    ],
    [pod, 'spec.containers.args', { listType: 'atomic', mapKeys: [] }],
    [pod, 'spec.tolerations', { listType: 'atomic' }],
    [pod, 'spec.volumes', { patchStrategy: 'merge,retainKeys' }],
    [pod, 'spec.ephemeralContainers.env', { mapKeys: ['name'] }],
    [pod, 'metadata.finalizers', { listType: 'set', patchStrategy: 'merge' }],
    [pod, 'status.hostIPs', { listType: 'atomic', patchMergeKey: 'ip' }],
    [pod, 'spec.nodeSelector', { type: 'map', atomic: true }],
    ['io.k8s.api.core.v1.Service', 'spec.ports', { mapKeys: ['port', 'protocol'], patchMergeKey: 'port' }],
    ['io.k8s.api.apps.v1.Deployment', 'spec.selector', { type: 'object', atomic: true }],
    ['io.k8s.api.batch.v1.Job', 'status.conditions', { listType: 'atomic', patchMergeKey: 'type' }],
  ];
  for (const [component, path, expected] of lists) {
    t.match(fieldAt(component, path)?.schema, expected, `${component} ${path}`);
  }
  t.equal(fieldAt('io.k8s.api.apps.v1.Deployment', 'spec.strategy')?.patchStrategy, 'retainKeys');
  t.equal(fieldAt(pod, 'spec.containers.ports.protocol')?.default, 'TCP', 'a key that is often left out');
  t.end();
});

test('a schema may contain itself', (t) => {
  const props = schemaOf('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps');
  t.equal(props.fields.get('not')?.schema, props);
  t.end();
});

test('both sources of the schema know the same fields, except those that only JSON has flat', (t) => {
  const messages = Map.groupBy(readDescriptors(), ({ name }) => name);
  const names = new Set(schemaNames());
  const differing = readModels().flatMap((model) => {
    const named = nameComponent(model, messages);
    if (!named?.message || !names.has(named.component)) return [];
    const known = new Set([...named.message.fields.keys()].map((name) => name.toLowerCase()));
    const isMissing = ({ name }: { name: string }) =>
      name !== 'apiVersion' && name !== 'kind' && !known.has(name.toLowerCase());
    return model.fields.some(isMissing) ? [named.component.split('.').at(-1)] : [];
  });
  t.strictSame(differing, [
    'ConfigMapEnvSource',
    'ConfigMapKeySelector',
    'ConfigMapProjection',
    'ConfigMapVolumeSource',
    'EphemeralContainer',
    'IngressRule',
    'NamedRuleWithOperations',
    'PersistentVolumeSpec',
    'Probe',
    'RuleWithOperations',
    'SecretEnvSource',
    'SecretKeySelector',
    'SecretProjection',
    'Volume',
  ]);
  t.end();
});
