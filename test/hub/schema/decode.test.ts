import { test } from 'tap';
import { decode } from '../../../hub/schema/decode.ts';
import { type ObjectSchema, schemaOf } from '../../../hub/schema/schema.ts';
import { ensureSchema } from '../../../scripts/generate-schema.ts';

ensureSchema();
const DEPLOYMENT = schemaOf('io.k8s.api.apps.v1.Deployment');
const POD = schemaOf('io.k8s.api.core.v1.Pod');
const LEASE = schemaOf('io.k8s.api.coordination.v1.Lease');
const SECRET = schemaOf('io.k8s.api.core.v1.Secret');
const CRD = schemaOf('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition');

test('unknown fields are dropped and named', (t) => {
  const cases: [input: object, object: object, unknown: string[]][] = [
    [{ spec: { replicas: 1, foo: 1 } }, { spec: { replicas: 1 } }, ['unknown field "spec.foo"']],
    [{ foo: 1 }, {}, ['unknown field "foo"']],
    [
      { spec: { template: { spec: { containers: [{ name: 'a' }, { name: 'b', img: 'x' }] } } } },
      { spec: { template: { spec: { containers: [{ name: 'a' }, { name: 'b' }] } } } },
      ['unknown field "spec.template.spec.containers[1].img"'],
    ],
    [{ spec: { Replicas: 1 } }, { spec: {} }, ['unknown field "spec.Replicas"']],
    [{ constructor: 1, toString: 2 }, {}, ['unknown field "constructor"', 'unknown field "toString"']],
    [{ metadata: { labels: { constructor: 'x' } } }, { metadata: { labels: { constructor: 'x' } } }, []],
  ];
  for (const [input, object, unknown] of cases) {
    const decoded = decode(DEPLOYMENT, input);
    t.strictSame(decoded.object, object, JSON.stringify(input));
    t.strictSame(decoded.unknown, unknown);
    t.strictSame(decoded.errors, []);
  }
  t.end();
});

test('values of the wrong type are told in the words of Go', (t) => {
  const cases: [schema: ObjectSchema, input: unknown, error: string][] = [
    [
      DEPLOYMENT,
      { spec: { replicas: 'three' } },
      'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      DEPLOYMENT,
      { spec: { replicas: 1.5 } },
      'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      DEPLOYMENT,
      { spec: { replicas: 3_000_000_000 } },
      'json: cannot unmarshal number into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      DEPLOYMENT,
      { spec: { template: { spec: { containers: [{ name: 1 }] } } } },
      'json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.name of type string',
    ],
    [
      DEPLOYMENT,
      { spec: [] },
      'json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec',
    ],
    [
      POD,
      { spec: { containers: {} } },
      'json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container',
    ],
    [
      POD,
      { metadata: { labels: { a: true } } },
      'json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels.a of type string',
    ],
    [
      POD,
      { metadata: { labels: 'x' } },
      'json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string',
    ],
    [POD, 'text', 'json: cannot unmarshal string into Go value of type v1.Pod'],
    [
      POD,
      { metadata: { creationTimestamp: 'today' } },
      'parsing time "today" as "2006-01-02T15:04:05Z07:00": cannot parse "today"',
    ],
    [
      POD,
      { spec: { containers: [{ resources: { limits: { cpu: 'lots' } } }] } },
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [SECRET, { data: { a: 'YQ==', b: 'YWI%' } }, 'illegal base64 data at input byte 3'],
  ];
  for (const [schema, input, error] of cases) t.strictSame(decode(schema, input).errors, [error], error);
  t.end();
});

test('values are written as the API writes them', (t) => {
  const cases: [what: string, schema: ObjectSchema, input: object, expected: object][] = [
    ['null fields are dropped', POD, { metadata: { creationTimestamp: null }, spec: null }, { metadata: {} }],
    [
      'null map values are dropped',
      POD,
      { metadata: { labels: { a: null, b: 'x' } } },
      { metadata: { labels: { b: 'x' } } },
    ],
    [
      'null list items become empty',
      POD,
      { spec: { containers: [null, { name: 'a' }] } },
      { spec: { containers: [{}, { name: 'a' }] } },
    ],
    [
      'null strings in lists become empty',
      POD,
      { spec: { containers: [{ args: [null] }] } },
      { spec: { containers: [{ args: [''] }] } },
    ],
    [
      'milliseconds are cut off times',
      POD,
      { metadata: { creationTimestamp: '2026-01-02T03:04:05.678Z' } },
      { metadata: { creationTimestamp: '2026-01-02T03:04:05Z' } },
    ],
    [
      'times are in UTC',
      POD,
      { metadata: { creationTimestamp: '2026-01-02T03:04:05+02:00' } },
      { metadata: { creationTimestamp: '2026-01-02T01:04:05Z' } },
    ],
    [
      'micro times have six digits',
      LEASE,
      { spec: { renewTime: '2026-01-02T03:04:05.6Z', acquireTime: '2026-01-02T03:04:05.123456789Z' } },
      { spec: { renewTime: '2026-01-02T03:04:05.600000Z', acquireTime: '2026-01-02T03:04:05.123456Z' } },
    ],
    [
      'quantities may be numbers, and have one spelling',
      POD,
      { spec: { overhead: { cpu: 2, memory: '1.5Gi' } } },
      { spec: { overhead: { cpu: '2', memory: '1536Mi' } } },
    ],
    [
      'an int-or-string keeps its type',
      DEPLOYMENT,
      { spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: '25%' } } } },
      { spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: '25%' } } } },
    ],
    [
      'JSON of any shape keeps its nulls',
      CRD,
      { spec: { versions: [{ schema: { openAPIV3Schema: { default: { a: null } } } }] } },
      { spec: { versions: [{ schema: { openAPIV3Schema: { default: { a: null } } } }] } },
    ],
  ];
  for (const [what, schema, input, expected] of cases) {
    const before = structuredClone(input);
    const { object, errors } = decode(schema, input);
    t.strictSame(object, expected, what);
    t.strictSame(errors, []);
    t.strictSame(input, before, 'the input stays as it was');
  }
  t.end();
});

test('a schema may keep what it does not name', (t) => {
  const schema: ObjectSchema = {
    type: 'object',
    preservesUnknown: true,
    fields: new Map([['size', { schema: { type: 'int32' } }]]),
  };
  t.strictSame(decode(schema, { size: 1, color: null }), {
    object: { size: 1, color: null },
    unknown: [],
    errors: [],
  });
  t.strictSame(decode(schema, { size: '1' }).errors, [
    'json: cannot unmarshal string into Go struct field object.size of type int32',
  ]);
  t.end();
});
