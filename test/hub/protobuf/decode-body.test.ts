import t from 'tap';
import { decodeProtobufBody, hasProtobuf } from '../../../hub/protobuf/decode-body.ts';
import { ensureSchema } from '../../../scripts/generate-schema.ts';
import { envelope, messageWith } from './sample-messages.ts';

ensureSchema();

const CORE = 'io.k8s.api.core.v1';
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const CRD = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** A length-delimited field. */
const field = (number: number, content: Uint8Array | string) => {
  const bytes = Buffer.from(content as string);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
};
const number = (fieldNumber: number, value: number) =>
  Buffer.concat([varint(fieldNumber * 8), varint(value)]);

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

const bodyOf = (...parts: Uint8Array[]) => envelope('', '', Buffer.concat(parts));

/** What a body says besides its type. */
function decodeAs(component: string, ...parts: Uint8Array[]): object {
  const { apiVersion: _, kind: __, ...object } = decodeProtobufBody(component, bodyOf(...parts));
  return object;
}

const encoded = (name: string, fields: Record<string, unknown>) => messageWith(`${CORE}.${name}`, fields);

t.test('type and content of a body', async (t) => {
  const raw = encoded('Secret', {
    metadata: { name: 'a', creationTimestamp: {}, labels: { x: '' } },
    data: { key: Buffer.from('value'), empty: new Uint8Array() },
    type: 'Opaque',
    immutable: false,
  });
  t.same(decodeProtobufBody(`${CORE}.Secret`, envelope('v1', 'Secret', raw)), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'a', labels: { x: '' } },
    data: { key: 'dmFsdWU=', empty: '' },
    type: 'Opaque',
    immutable: false,
  });
  t.same(
    decodeProtobufBody(`${CORE}.Pod`, envelope('v1', 'Secret', raw)),
    { apiVersion: 'v1', kind: 'Secret' },
    'the content of another kind is not read',
  );
  t.ok(hasProtobuf(`${CORE}.Secret`));
  t.notOk(hasProtobuf('com.example.v1.Toaster'));
});

t.test('zero is left out where Go leaves it out', async (t) => {
  const raw = encoded('PodSpec', {
    terminationGracePeriodSeconds: 0n,
    hostNetwork: false,
    nodeName: '',
    automountServiceAccountToken: false,
    securityContext: {},
    volumes: [{ name: 'v', volumeSource: { emptyDir: {} } }],
    containers: [
      { name: 'c', args: ['', 'a'], resources: {}, ports: [{ containerPort: 0, hostPort: 0 }], stdin: false },
    ],
  });
  t.same(decodeAs(`${CORE}.Pod`, field(2, raw)), {
    spec: {
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      securityContext: {},
      volumes: [{ name: 'v', emptyDir: {} }],
      containers: [{ name: 'c', args: ['', 'a'], resources: {}, ports: [{ containerPort: 0 }] }],
    },
  });
  t.same(
    decodeAs('io.k8s.api.scheduling.v1.PriorityClass', number(2, 0), number(3, 0)),
    { value: 0 },
    'a number that JSON always has',
  );
  const deletion = messageWith(`${META}.DeleteOptions`, { gracePeriodSeconds: 0n, orphanDependents: false });
  t.same(decodeAs(`${META}.DeleteOptions`, deletion), { gracePeriodSeconds: 0, orphanDependents: false });
});

t.test('an empty status is none', async (t) => {
  t.same(decodeAs(`${CORE}.Pod`, encoded('Pod', { spec: {}, status: {} })), { spec: {} });
  t.same(decodeAs(`${CORE}.Pod`, encoded('Pod', { status: { phase: 'Running' } })), {
    status: { phase: 'Running' },
  });
});

t.test('types that are not in JSON what they are in protobuf', async (t) => {
  const event = encoded('Event', {
    firstTimestamp: { seconds: 1_700_000_000n, nanos: 5 },
    lastTimestamp: {},
    eventTime: { seconds: 1_700_000_000n, nanos: 123_456_789 },
  });
  t.same(decodeAs(`${CORE}.Event`, event), {
    firstTimestamp: '2023-11-14T22:13:20Z',
    eventTime: '2023-11-14T22:13:20.123456Z',
  });
  const ports = [
    { targetPort: { type: 0n, intVal: 80, strVal: '' } },
    { targetPort: { type: 1n, intVal: 0, strVal: 'http' } },
    { targetPort: { type: 0n, intVal: 0, strVal: '' } },
  ];
  t.match(decodeAs(`${CORE}.Service`, encoded('Service', { spec: { ports } })), {
    spec: { ports: [{ targetPort: 80 }, { targetPort: 'http' }, { targetPort: undefined }] },
  });
  const limits = { cpu: { string: '500m' }, memory: {} };
  t.match(decodeAs(`${CORE}.Pod`, encoded('Pod', { spec: { containers: [{ resources: { limits } }] } })), {
    spec: { containers: [{ resources: { limits: { cpu: '500m', memory: '0' } } }] },
  });
  const revision = messageWith('io.k8s.api.apps.v1.ControllerRevision', {
    data: { raw: Buffer.from('{"spec":{"a":[1,null]}}') },
    revision: 3n,
  });
  t.same(decodeAs('io.k8s.api.apps.v1.ControllerRevision', revision), {
    data: { spec: { a: [1, null] } },
    revision: 3,
  });
  const review = messageWith('io.k8s.api.authorization.v1.SubjectAccessReview', {
    spec: { user: 'u', extra: { scopes: { items: ['a', 'b'] }, none: {} } },
  });
  t.same(decodeAs('io.k8s.api.authorization.v1.SubjectAccessReview', review), {
    spec: { user: 'u', extra: { scopes: ['a', 'b'], none: [] } },
  });
});

t.test('schemas of custom resources', async (t) => {
  const string = field(5, 'string'); // JSONSchemaProps {5: type}
  const maximum = Buffer.alloc(9, 0);
  maximum[0] = 9 * 8 + 1;
  maximum.writeDoubleLE(1.5, 1);
  const schema = Buffer.concat([
    field(24, field(1, string)), // items: one schema
    field(30, number(1, 1)), // additionalProperties: true
    field(33, number(1, 0)), // additionalItems: false
    field(32, Buffer.concat([field(1, 'a'), field(2, field(2, 'b'))])), // dependencies: names
    field(20, field(1, '"x"')), // enum
    field(8, field(1, '{"b":false}')), // default
    maximum,
    number(10, 0),
  ]);
  t.same(decodeAs(`${CRD}.CustomResourceDefinition`, field(2, field(7, field(4, field(1, schema))))), {
    spec: {
      versions: [
        {
          schema: {
            openAPIV3Schema: {
              items: { type: 'string' },
              additionalProperties: true,
              additionalItems: false,
              dependencies: { a: ['b'] },
              enum: ['x'],
              default: { b: false },
              maximum: 1.5,
            },
          },
        },
      ],
    },
  });
});

t.test('what a newer or another writer may send', async (t) => {
  const unknown = Buffer.concat([
    number(1000, 1),
    field(1001, 'x'),
    Buffer.concat([varint(1002 * 8 + 1), Buffer.alloc(8)]),
    Buffer.concat([varint(1003 * 8 + 5), Buffer.alloc(4)]),
  ]);
  t.same(decodeAs(`${CORE}.ConfigMap`, unknown, field(1, field(1, 'a'))), { metadata: { name: 'a' } });
  t.same(
    decodeAs(`${CORE}.ConfigMap`, field(1, field(1, 'a')), field(1, field(3, 'ns'))),
    { metadata: { name: 'a', namespace: 'ns' } },
    'the parts of a message are one message',
  );
  const packed = field(4, Buffer.concat([varint(1), varint(300)])); // PodSecurityContext.supplementalGroups
  t.same(decodeAs(`${CORE}.Pod`, field(2, field(14, packed))), {
    spec: { securityContext: { supplementalGroups: [1, 300] } },
  });
  const context = Buffer.concat([number(2, -1), number(5, 2 ** 40)]); // runAsUser, fsGroup
  t.same(decodeAs(`${CORE}.Pod`, field(2, field(14, context))), {
    spec: { securityContext: { runAsUser: -1, fsGroup: 2 ** 40 } },
  });
});

t.test('bytes that are broken are refused', async (t) => {
  const nested = (depth: number) => {
    let bytes = Buffer.alloc(0);
    for (let at = 0; at < depth; at++) bytes = field(28, bytes); // JSONSchemaProps.not
    return bytes;
  };
  const schema = (bytes: Uint8Array) => field(2, field(7, field(4, field(1, bytes))));
  const pod = `${CORE}.Pod`;
  const broken: [why: RegExp, component: string, body: Buffer][] = [
    [/expected prefix \[107 56 115 0\]/, pod, Buffer.from('{"kind":"Pod"}')],
    [/expected prefix/, pod, Buffer.from('k8s')],
    [/unexpected EOF/, pod, Buffer.concat([Buffer.from('k8s\0'), Buffer.from([0x12, 0x05, 0x00])])],
    [/unexpected EOF/, pod, bodyOf(Buffer.from([0x0a]))],
    [/unexpected EOF/, pod, bodyOf(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0x7f]))],
    [/negative length/, pod, bodyOf(Buffer.from([0x0a]), varint(-1))],
    [/integer overflow/, pod, bodyOf(Buffer.alloc(11, 0xff))],
    [/illegal tag 0/, pod, bodyOf(Buffer.from([0x02, 0x00]))],
    [/illegal wireType 3/, pod, bodyOf(varint(1000 * 8 + 3))],
    [/illegal wireType 7/, pod, bodyOf(varint(1000 * 8 + 7))],
    [/wrong wireType = 0 for field metadata/, pod, bodyOf(number(1, 1))],
    [/wrong wireType = 2 for field hostNetwork/, pod, bodyOf(field(2, field(11, 'x')))],
    [/wrong wireType = 0 for field volumes/, pod, bodyOf(field(2, number(1, 5)))],
    [/wrong wireType = 0 for field labels/, pod, bodyOf(field(1, number(11, 5)))],
    [/not valid UTF-8/, pod, bodyOf(field(1, field(1, Buffer.from([0xff, 0xfe]))))],
    [/key "__proto__" is not allowed/, pod, bodyOf(field(1, field(11, field(1, '__proto__'))))],
    [/years 0 to 9999/, pod, bodyOf(field(1, field(8, number(1, 2 ** 60))))],
    [
      /couldn't parse the body as JSON/,
      'io.k8s.api.apps.v1.ControllerRevision',
      bodyOf(field(2, field(1, '{'))),
    ],
    [
      /"__proto__" is not allowed/,
      'io.k8s.api.apps.v1.ControllerRevision',
      bodyOf(field(2, field(1, '{"__proto__":1}'))),
    ],
    [/exceeded max depth/, `${CRD}.CustomResourceDefinition`, bodyOf(schema(nested(2000)))],
    [/exceeded max depth/, `${CRD}.CustomResourceDefinition`, bodyOf(schema(nested(10_000)))],
  ];
  for (const [why, component, body] of broken) {
    t.throws(() => decodeProtobufBody(component, body), { code: 400, message: why }, String(why));
  }
});

t.test('a message that is cut off anywhere is refused or smaller, never a crash', async (t) => {
  const whole = envelope('v1', 'Pod', encoded('Pod', { metadata: { name: 'abc' }, spec: { nodeName: 'n' } }));
  for (let length = 0; length < whole.length; length++) {
    try {
      decodeProtobufBody(`${CORE}.Pod`, whole.subarray(0, length));
    } catch (error) {
      t.match(error, { code: 400 }, `${length} bytes`);
    }
  }
});
