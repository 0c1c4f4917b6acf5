import t, { type Test } from 'tap';
import { ensureSchema } from '../../../scripts/generate-schema.ts';
import { startHub } from './test-hub.ts';

/*
 * Bodies that are made to hurt: each is answered with a Status of the right code, soon, and changes nothing. What was
 * found to take seconds, minutes or all memory once is among them.
 */

ensureSchema();
const hub = await startHub(t);

/** Far more than it takes, and far less than what is quadratic in a body takes. */
const LIMIT_MS = 2500;

const NAMESPACE = '/api/v1/namespaces/default';
const MAPS = `${NAMESPACE}/configmaps`;
const PODS = `${NAMESPACE}/pods`;
const REVISIONS = '/apis/apps/v1/namespaces/default/controllerrevisions';

await hub.post(MAPS, { metadata: { name: 'base' }, data: { a: 'x'.repeat(1000) } });
await hub.post(PODS, { metadata: { name: 'base' }, spec: { containers: [{ name: 'c', image: 'i' }] } });

interface Case {
  readonly what: string;
  readonly body: string | Uint8Array;
  readonly code: number;
  readonly message?: RegExp;
  readonly path?: string;
  /** Of the patch; without one the object is created. */
  readonly patch?: 'json' | 'merge' | 'strategic-merge' | 'apply';
  readonly yaml?: boolean;
}

const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const entries = (count: number) => Object.fromEntries(many(count, (index) => [`k${index}`, 'v']));
const pod = (spec: object) => JSON.stringify({ metadata: { name: 'x' }, spec });
const map = (metadata: object) => JSON.stringify({ metadata: { name: 'x', ...metadata } });
const inContainer = (fields: object) => pod({ containers: [{ name: 'c', image: 'i', ...fields }] });
const emptyObjects = (count: number) => `[${'{},'.repeat(count - 1)}{}]`;

async function check(t: Test, cases: readonly Case[]): Promise<void> {
  for (const { what, body, code, message, path, patch, yaml } of cases) {
    const before = hub.registry.revision;
    const startMs = performance.now();
    const type = yaml ? 'application/yaml' : 'application/json';
    const patchType = `application/${patch}-patch+${patch === 'apply' ? 'yaml' : 'json'}`;
    const answer = await hub.call(patch ? 'PATCH' : 'POST', path ?? (patch ? `${MAPS}/base` : MAPS), {
      body,
      headers: { 'content-type': patch ? patchType : type },
    });
    const tookMs = performance.now() - startMs;
    t.match(
      answer,
      { code, body: { kind: 'Status', status: 'Failure', code, message: message ?? /./ } },
      what,
    );
    t.ok(tookMs < LIMIT_MS, `${what}: ${Math.round(tookMs)} ms`);
    t.equal(hub.registry.revision, before, `${what}: nothing was written`);
  }
}

t.test('size', (t) =>
  check(t, [
    { what: 'too long', body: ' '.repeat(3 * 1024 * 1024 + 1), code: 413, message: /limit is 3145728/ },
    {
      what: 'an object that is too large to be stored',
      body: map({ labels: entries(100_000) }),
      code: 413,
      message: /the object has \d+ bytes, limit is 1572864/,
    },
    {
      what: 'a million empty containers',
      body: pod({ containers: '@' }).replace('"@"', emptyObjects(1_000_000)),
      code: 413,
      path: PODS,
    },
    {
      what: 'empty objects, not quite too many',
      body: pod({ containers: '@' }).replace('"@"', emptyObjects(50_000)),
      code: 422,
      message: /and \d{5,} more\]$/,
      path: PODS,
    },
  ]),
);

t.test('depth', (t) => {
  const deep = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth);
  return check(t, [
    { what: 'open arrays', body: '['.repeat(3_000_000), code: 400 },
    { what: 'arrays', body: deep('[', ']', 1_500_000), code: 400, message: /exceeded max depth/ },
    {
      what: 'objects',
      body: deep('{"a":', '}', 500_000).replace(':}', ':1}'),
      code: 400,
      message: /max depth/,
    },
    {
      what: 'where any JSON may be',
      body: `{"metadata":{"name":"x"},"revision":1,"data":${deep('[', ']', 1200)}}`,
      code: 400,
      path: REVISIONS,
    },
    { what: 'merge patch', body: `${'{"data":'.repeat(990)}1${'}'.repeat(990)}`, code: 400, patch: 'merge' },
    {
      what: 'strategic merge patch',
      body: `${'{"data":'.repeat(990)}1${'}'.repeat(990)}`,
      code: 400,
      patch: 'strategic-merge',
    },
    { what: 'YAML in brackets', body: '['.repeat(3_000_000), code: 400, message: /maxDepth/, yaml: true },
    { what: 'YAML in dashes', body: '- '.repeat(1_500_000), code: 400, message: /maxDepth/, yaml: true },
    { what: 'YAML in braces', body: '{a: '.repeat(700_000), code: 400, message: /maxDepth/, yaml: true },
    { what: 'YAML in question marks', body: '? '.repeat(1_500_000), code: 400, yaml: true },
  ]);
});

t.test('YAML', (t) => {
  const names = [...'abcdefghij'];
  const bomb = names
    .map((name, at) => `${name}: &${name} [${`*${names[at - 1]},`.repeat(at && 9)}x]\n`)
    .join('');
  const line = 'x'.repeat(100_000);
  return check(t, [
    { what: 'an alias bomb', body: bomb, code: 413, yaml: true },
    { what: 'an alias of much', body: `a: &a "${line}"\nb: [${'*a,'.repeat(100)}]`, code: 413, yaml: true },
    { what: 'an alias of itself', body: 'a: &a [*a]', code: 413, yaml: true },
    { what: 'many aliases', body: `a: &a x\nb: [${'*a,'.repeat(500_000)}]`, code: 422, yaml: true },
    { what: 'many keys', body: many(100_000, (at) => `k${at}: 1\n`).join(''), code: 422, yaml: true },
    { what: 'many anchors', body: '&a '.repeat(1_000_000), code: 400, yaml: true },
    { what: 'many quotes', body: '"'.repeat(3_000_000), code: 400, message: /yaml: line 1: /, yaml: true },
    { what: 'many documents', body: '---\n'.repeat(200_000), code: 400, yaml: true },
    {
      what: 'a key twice',
      body: 'metadata: {}\nmetadata: {}',
      code: 400,
      message: /line 2: duplicated/,
      yaml: true,
    },
    { what: 'a key that is a list', body: '? [a, b]\n: c', code: 400, yaml: true },
    { what: 'a type of its own', body: 'data: !!js/function x', code: 400, message: /unknown/, yaml: true },
    { what: 'no number', body: 'metadata: {generation: .inf}', code: 400, message: /no number/, yaml: true },
    { what: 'nothing', body: '# nothing', code: 400, yaml: true },
    {
      what: 'an apply',
      body: '"'.repeat(3_000_000),
      code: 400,
      path: `${MAPS}/x?fieldManager=m`,
      patch: 'apply',
    },
  ]);
});

t.test('keys that are part of every object', async (t) => {
  const proto = /the key "__proto__" is not allowed/;
  await check(t, [
    { what: 'JSON', body: '{"metadata":{"name":"x"},"data":{"__proto__":"x"}}', code: 400, message: proto },
    { what: 'escaped', body: '{"data":{"\\u005f_proto__":"x"}}', code: 400, message: proto },
    { what: 'YAML', body: 'data: {__proto__: {a: b}}', code: 400, message: proto, yaml: true },
    { what: 'YAML, merged', body: 'data: {<<: {__proto__: {a: b}}}', code: 400, message: proto, yaml: true },
    { what: 'merge patch', body: '{"__proto__":{"x":1}}', code: 400, message: proto, patch: 'merge' },
    { what: 'strategic', body: '{"__proto__":{"x":1}}', code: 400, message: proto, patch: 'strategic-merge' },
    {
      what: 'JSON patch',
      body: '[{"op":"add","path":"/constructor/prototype/x","value":1}]',
      code: 400,
      message: /"constructor" is not allowed/,
      patch: 'json',
    },
  ]);
  const named = { constructor: 'a', hasOwnProperty: 'b', toString: 'c', valueOf: 'd' };
  const created = await hub.post(MAPS, { metadata: { name: 'named', labels: named }, data: named });
  t.match(created, { code: 201, body: { data: named } }, 'they are names like any other');
  t.equal({}.toString(), '[object Object]');
  await hub.patch(`${MAPS}/named`, 'merge', {
    data: { constructor: null },
    metadata: { labels: { valueOf: null } },
  });
  const { data, metadata } = (await hub.get(`${MAPS}/named?fieldSelector=metadata.name=named`)).body;
  t.same(Object.keys(data), ['hasOwnProperty', 'toString', 'valueOf']);
  t.same(Object.keys(metadata.labels), ['constructor', 'hasOwnProperty', 'toString']);
});

t.test('text', (t) =>
  check(t, [
    {
      what: 'JSON that is no UTF-8',
      body: Buffer.concat([Buffer.from('{"data":{"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}}')]),
      code: 400,
      message: /not valid UTF-8/,
    },
    { what: 'YAML that is no UTF-8', body: Buffer.from([0x61, 0x3a, 0xc3]), code: 400, yaml: true },
    {
      what: 'a number of a million digits',
      body: pod({ priority: 1 }).replace('1}', `1${'0'.repeat(2e6)}}`),
      code: 400,
      path: PODS,
    },
    {
      what: 'a quantity of a million digits',
      body: inContainer({ resources: { limits: { cpu: '9'.repeat(2e6) } } }),
      code: 400,
      path: PODS,
    },
    {
      what: 'a quantity of great power',
      body: inContainer({ resources: { limits: { cpu: '1e999999999' } } }),
      code: 400,
      path: PODS,
    },
    { what: 'a name', body: map({ name: `${'a.'.repeat(1_000_000)}!` }), code: 422 },
    { what: 'a key of a label', body: map({ labels: { [`${'a.'.repeat(1_000_000)}/x`]: 'x' } }), code: 422 },
    { what: 'a label', body: map({ labels: { x: `${'a-'.repeat(1_000_000)}!` } }), code: 422 },
    {
      what: 'base64',
      body: JSON.stringify({ metadata: { name: 'x' }, data: { a: `${'QUJD'.repeat(700_000)}!` } }),
      code: 400,
      path: `${NAMESPACE}/secrets`,
    },
  ]),
);

t.test('patches', (t) => {
  const copies = (from: string) => many(40, (at) => ({ op: 'copy', from, path: `/data/k${at}` }));
  const containers = many(20_000, (at) => ({ name: `c${at}`, image: '' }));
  const finalizers = many(40_000, (at) => `no-finalizer-${at}`);
  const path = `${PODS}/base`;
  return check(t, [
    {
      what: '100,000 operations',
      body: JSON.stringify(many(100_000, () => ({ op: 'test', path: '/a' }))),
      code: 413,
      message: /maximum operations in a JSON patch is 10000, got 100000/,
      patch: 'json',
    },
    {
      what: 'doubling copies',
      body: JSON.stringify(copies('/data')),
      code: 422,
      message: /accumulated size/,
      patch: 'json',
    },
    {
      what: 'copies of much',
      body: JSON.stringify([{ op: 'add', path: '/data/a', value: 'x'.repeat(1e6) }, ...copies('/data/a')]),
      code: 422,
      message: /accumulated size/,
      patch: 'json',
    },
    {
      what: 'many items with keys',
      body: JSON.stringify({ spec: { containers } }),
      code: 422,
      path,
      patch: 'strategic-merge',
    },
    {
      what: 'an order of many items',
      body: JSON.stringify({ spec: { '$setElementOrder/containers': containers.toReversed(), containers } }),
      code: 422,
      path,
      patch: 'strategic-merge',
    },
    {
      what: 'many items of a set',
      body: JSON.stringify({ metadata: { '$deleteFromPrimitiveList/finalizers': finalizers, finalizers } }),
      code: 422,
      patch: 'strategic-merge',
    },
    {
      what: 'many keys to keep',
      body: JSON.stringify({ data: { $retainKeys: Object.keys(entries(40_000)), ...entries(40_000), k: 1 } }),
      code: 400,
      patch: 'strategic-merge',
    },
    {
      what: 'an apply of many items',
      body: JSON.stringify({ apiVersion: 'v1', kind: 'Pod', spec: { containers } }),
      code: 422,
      path: `${path}?fieldManager=m`,
      patch: 'apply',
    },
  ]);
});

t.test('managed fields of many managers', async (t) => {
  const managedFields = many(15_000, (at) => ({
    manager: `m${at}`,
    operation: at % 2 ? 'Update' : 'Apply',
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:data': { [`f:k${at}`]: {} } },
  }));
  const startMs = performance.now();
  const { code, body } = await hub.post(`${MAPS}?dryRun=All`, { metadata: { name: 'x', managedFields } });
  const tookMs = performance.now() - startMs;
  t.equal(code, 201);
  t.ok(tookMs < LIMIT_MS, `${Math.round(tookMs)} ms`);
  const updaters = body.metadata.managedFields.filter(
    (each: object) => 'operation' in each && each.operation === 'Update',
  );
  t.ok(updaters.length <= 10, `${updaters.length} updaters are kept apart`);
});

t.test('so many problems that telling all would be one', async (t) => {
  const unknown = { metadata: { name: 'unknown' }, ...entries(200_000) };
  const warned = await hub.post(`${MAPS}?dryRun=All`, unknown);
  t.equal(warned.code, 201);
  const warnings = String(warned.headers['warning']);
  t.match(warnings, /^299 - "unknown field \\"k0\\"", 299 - /);
  t.ok(warnings.length < 5000, `${warnings.length} characters of warnings`);
  const long = await hub.post(`${MAPS}?dryRun=All`, { metadata: { name: 'long' }, ['k'.repeat(100_000)]: 1 });
  t.ok(String(long.headers['warning']).length < 300);
  const roomy = await hub.post(`${MAPS}?dryRun=All`, { metadata: { name: 'roomy' }, ['k'.repeat(2000)]: 1 });
  t.match(roomy.headers['warning'], /k{2000}/, 'what there is room for is told as a whole');
  const refused = await hub.post(`${MAPS}?fieldValidation=Strict`, unknown);
  t.match(refused, { code: 400, body: { message: /strict decoding error: unknown field "k0", / } });
  t.ok(refused.text.length < 10_000, `${refused.text.length} characters`);
  const twice = `{"metadata":{"name":"twice"}${',"data":{}'.repeat(100_000)}}`;
  t.ok((await hub.post(`${MAPS}?fieldValidation=Strict`, twice)).text.length < 10_000);
  const wrong = pod({ containers: [{ name: 'c', args: many(100_000, () => 1) }] });
  t.ok((await hub.post(PODS, wrong)).text.length < 30_000);
});

t.test('nothing went wrong inside, and it goes on', async (t) => {
  t.same(hub.errors, []);
  t.match(await hub.get(`${MAPS}/base`), { code: 200 });
});
