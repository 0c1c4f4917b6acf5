import { test } from 'tap';
import type { ResourceDefinition } from '../../../hub/resources/definition.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { openApiOf } from '../../../hub/schema/openapi.ts';
import { openApiV2Of } from '../../../hub/schema/openapi-v2.ts';
import { type ObjectSchema, schemaOf } from '../../../hub/schema/schema.ts';
import { ensureSchema } from '../../../scripts/generate-schema.ts';

ensureSchema();

function definition(
  group: string,
  version: string,
  kind: string,
  more: Partial<ResourceDefinition> = {},
): ResourceDefinition {
  const singular = kind.toLowerCase();
  return {
    group,
    version,
    kind,
    plural: `${singular}s`,
    singular,
    shortNames: [],
    categories: [],
    namespaced: true,
    schema: `io.k8s.api.${group || 'core'}.${version}.${kind}`,
    hasStatus: true,
    columns: [],
    ...more,
  };
}

const SCALE = {
  replicas: () => 1,
  statusReplicas: () => 1,
  selector: () => '',
  withReplicas: (object: KubeObject) => object,
};
const POD_SUBRESOURCES = [
  { name: 'log', verbs: ['get'] },
  { name: 'eviction', verbs: ['create'], kind: { group: 'policy', version: 'v1', kind: 'Eviction' } },
];
const DEFINITIONS = [
  definition('', 'v1', 'Pod', { subresources: POD_SUBRESOURCES }),
  definition('', 'v1', 'Node', { namespaced: false }),
  definition('', 'v1', 'ConfigMap', { hasStatus: false }),
  definition('apps', 'v1', 'Deployment', { scale: SCALE }),
];

interface Operation {
  'x-kubernetes-group-version-kind': object;
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, object> };
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Record<string, unknown>> };
}

function documentOf(path: string, definitions: readonly ResourceDefinition[] = DEFINITIONS): Document {
  return JSON.parse(openApiOf(definitions).documents.get(path)?.body ?? '') as Document;
}

test('the index names each group version with the hash of its document', (t) => {
  const { index, documents } = openApiOf(DEFINITIONS);
  t.strictSame([...documents.keys()], ['api/v1', 'apis/apps/v1']);
  for (const [path, { hash }] of documents) {
    t.match(hash, /^[0-9A-F]{64}$/);
    t.equal(index.paths[path]?.serverRelativeURL, `/openapi/v3/${path}?hash=${hash}`);
  }
  t.equal(openApiOf(DEFINITIONS), openApiOf(DEFINITIONS), 'a list of definitions is built once');
  const [again, other] = [openApiOf([...DEFINITIONS]), openApiOf(DEFINITIONS.slice(1))];
  t.equal(
    again.documents.get('api/v1')?.hash,
    documents.get('api/v1')?.hash,
    'the same kinds have the same hash',
  );
  t.not(other.documents.get('api/v1')?.hash, documents.get('api/v1')?.hash, 'other kinds have another');
  t.equal(other.documents.get('apis/apps/v1')?.hash, documents.get('apis/apps/v1')?.hash);
  t.end();
});

test('each resource has the paths that it serves', (t) => {
  const pod = '/api/v1/namespaces/{namespace}/pods';
  const node = '/api/v1/nodes';
  const map = '/api/v1/namespaces/{namespace}/configmaps';
  const core: Record<string, string[]> = {
    [pod]: ['delete', 'get', 'post'],
    [`${pod}/{name}`]: ['delete', 'get', 'patch', 'put'],
    [`${pod}/{name}/status`]: ['get', 'patch', 'put'],
    [`${pod}/{name}/log`]: ['get'],
    [`${pod}/{name}/eviction`]: ['post'],
    '/api/v1/pods': ['get'],
    [node]: ['delete', 'get', 'post'],
    [`${node}/{name}`]: ['delete', 'get', 'patch', 'put'],
    [`${node}/{name}/status`]: ['get', 'patch', 'put'],
    [map]: ['delete', 'get', 'post'],
    [`${map}/{name}`]: ['delete', 'get', 'patch', 'put'],
    '/api/v1/configmaps': ['get'],
  };
  const { paths } = documentOf('api/v1');
  const methods = Object.entries(paths).map(([path, { parameters: _, ...operations }]) => [
    path,
    Object.keys(operations).sort(),
  ]);
  t.strictSame(Object.fromEntries(methods), Object.fromEntries(Object.entries(core).sort()));
  t.match(paths[`${pod}/{name}`]?.['parameters'], [
    { name: 'namespace', in: 'path' },
    { name: 'name', in: 'path' },
  ]);
  const ids = Object.values(paths).flatMap((path) =>
    Object.values(path).map((operation) => Reflect.get(operation, 'operationId')),
  );
  const named = ids.filter((id) => id !== undefined);
  t.equal(new Set(named).size, named.length, 'operations have ids of their own');
  t.end();
});

test('a patch says what kubectl looks for', (t) => {
  const deployment = '/apis/apps/v1/namespaces/{namespace}/deployments/{name}';
  const { paths } = documentOf('apis/apps/v1');
  const cases: [path: string, kind: object][] = [
    [deployment, { group: 'apps', version: 'v1', kind: 'Deployment' }],
    [`${deployment}/status`, { group: 'apps', version: 'v1', kind: 'Deployment' }],
    [`${deployment}/scale`, { group: 'autoscaling', version: 'v1', kind: 'Scale' }],
  ];
  for (const [path, kind] of cases) {
    const patch = paths[path]?.['patch'];
    t.strictSame(patch?.['x-kubernetes-group-version-kind'], kind, path);
    t.match(
      patch?.parameters?.find(({ name }) => name === 'fieldValidation'),
      { in: 'query' },
    );
    t.strictSame(Object.keys(patch?.requestBody?.content ?? {}).sort(), [
      'application/apply-patch+yaml',
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/strategic-merge-patch+json',
    ]);
  }
  t.end();
});

test('components are those that the kinds need, and every reference leads to one', (t) => {
  const { components, paths } = documentOf('apis/apps/v1');
  const names = new Set(Object.keys(components.schemas));
  const references = [
    ...JSON.stringify({ components, paths }).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g),
  ];
  for (const name of new Set(references.map(([, name = '']) => name))) t.ok(names.has(name), name);
  t.ok(names.has('io.k8s.api.core.v1.PodSpec') && names.has('io.k8s.api.apps.v1.DeploymentList'));
  t.notOk(names.has('io.k8s.api.apps.v1.DaemonSet'));
  t.end();
});

test('components carry what explain and apply read', (t) => {
  const schemas = documentOf('apis/apps/v1').components.schemas;
  const cases: [component: string, expected: object][] = [
    [
      'io.k8s.api.apps.v1.Deployment',
      {
        type: 'object',
        description: /Deployment/,
        'x-kubernetes-group-version-kind': [{ group: 'apps', version: 'v1', kind: 'Deployment' }],
        properties: {
          spec: {
            allOf: [{ $ref: '#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec' }],
          },
        },
      },
    ],
    [
      'io.k8s.api.apps.v1.DeploymentSpec',
      {
        required: ['selector', 'template'],
        properties: {
          replicas: { type: 'integer', format: 'int32', description: String },
          strategy: { 'x-kubernetes-patch-strategy': 'retainKeys' },
        },
      },
    ],
    [
      'io.k8s.api.core.v1.PodSpec',
      {
        properties: {
          containers: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['name'],
            'x-kubernetes-patch-strategy': 'merge',
            'x-kubernetes-patch-merge-key': 'name',
            items: { $ref: '#/components/schemas/io.k8s.api.core.v1.Container' },
          },
          tolerations: { 'x-kubernetes-list-type': 'atomic' },
          nodeSelector: { 'x-kubernetes-map-type': 'atomic', additionalProperties: { type: 'string' } },
        },
      },
    ],
    ['io.k8s.api.core.v1.ContainerPort', { properties: { protocol: { default: 'TCP' } } }],
    ['io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector', { 'x-kubernetes-map-type': 'atomic' }],
    [
      'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
      { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
    ],
    ['io.k8s.apimachinery.pkg.api.resource.Quantity', { oneOf: [{ type: 'string' }, { type: 'number' }] }],
    [
      'io.k8s.api.autoscaling.v1.Scale',
      { 'x-kubernetes-group-version-kind': [{ group: 'autoscaling', version: 'v1', kind: 'Scale' }] },
    ],
  ];
  for (const [component, expected] of cases) t.match(schemas[component], expected, component);
  t.notOk('x-kubernetes-patch-strategy' in (schemas['io.k8s.api.core.v1.Toleration'] ?? {}));
  t.end();
});

test('a custom kind has its own schema, a list, and no strategic patch', (t) => {
  const schema: ObjectSchema = {
    type: 'object',
    name: 'org.example.v1.Lamp',
    kinds: [{ group: 'example.org', version: 'v1', kind: 'Lamp' }],
    fields: new Map([
      ['metadata', { schema: schemaOf('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta') }],
      ['spec', { schema: { type: 'object', preservesUnknown: true, fields: new Map() } }],
    ]),
  };
  const lamps = [
    definition('example.org', 'v1', 'Lamp', { schema: 'org.example.v1.Lamp', hasStatus: false }),
  ];
  const body = openApiOf(lamps, () => schema).documents.get('apis/example.org/v1')?.body ?? '';
  const { paths, components } = JSON.parse(body) as Document;
  const patch = paths['/apis/example.org/v1/namespaces/{namespace}/lamps/{name}']?.['patch'];
  t.strictSame(Object.keys(patch?.requestBody?.content ?? {}), [
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/apply-patch+yaml',
  ]);
  t.match(components.schemas['org.example.v1.Lamp'], {
    properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
  });
  t.match(components.schemas['org.example.v1.LampList'], {
    'x-kubernetes-group-version-kind': [{ group: 'example.org', version: 'v1', kind: 'LampList' }],
    properties: { items: { items: { $ref: '#/components/schemas/org.example.v1.Lamp' } } },
  });
  t.end();
});

test('OpenAPI v2 has the types of v3, in its own words and as protobuf', (t) => {
  const definitions = [definition('', 'v1', 'Service'), definition('apps', 'v1', 'Deployment')];
  const { json, protobuf } = openApiV2Of(definitions);
  t.equal(openApiV2Of(definitions).protobuf, protobuf, 'made once');
  const { swagger, definitions: types } = JSON.parse(json);
  t.equal(swagger, '2.0');
  t.notMatch(json, /#\/components|oneOf|allOf/);
  t.match(types['io.k8s.api.apps.v1.Deployment'], {
    type: 'object',
    properties: { spec: { $ref: '#/definitions/io.k8s.api.apps.v1.DeploymentSpec', description: String } },
    'x-kubernetes-group-version-kind': [{ group: 'apps', version: 'v1', kind: 'Deployment' }],
  });
  t.match(types['io.k8s.apimachinery.pkg.util.intstr.IntOrString'], {
    type: 'string',
    format: 'int-or-string',
  });
  t.match(types['io.k8s.api.core.v1.ServiceSpec'].properties, {
    selector: { type: 'object', additionalProperties: { type: 'string' } },
    ports: { type: 'array', items: { $ref: '#/definitions/io.k8s.api.core.v1.ServicePort' } },
  });
  for (const [, name = ''] of json.matchAll(/"#\/definitions\/([^"]+)"/g)) if (!types[name]) t.fail(name);
  const head = '\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.34.1\x4a';
  t.equal(protobuf.subarray(0, head.length).toString('latin1'), head);
  t.end();
});
