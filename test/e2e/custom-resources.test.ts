import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CustomObjectsApi, KubeConfig, KubernetesObjectApi } from '@kubernetes/client-node';
import t, { type Test } from 'tap';
import { kubectlPath } from '../../scripts/kubectl.ts';
import { define, definitionOf, objectOf, startCustomHub } from '../hub/api/custom-resource-hub.ts';
import { largeDefinition } from '../support/large-definition.ts';
import { until } from '../support/until.ts';

/* Definitions as large as those of operators, and their instances, with the real kubectl and the JavaScript client. */

const program = await kubectlPath();
const hub = await startCustomHub(t);
const kubeconfig = await hub.writeKubeconfig();
const flags = ['--kubeconfig', kubeconfig, '--cache-dir', join(hub.directory, 'cache')];

function kubectl(t: Test, ...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(program, [...flags, ...args], { timeout: 90_000, maxBuffer: 2 ** 26 }, (error, out, err) => {
      t.equal(error, null, `kubectl ${args.join(' ')}${error ? `: ${err}` : ''}`);
      resolve(out);
    });
  });
}

async function fileOf(name: string, content: unknown): Promise<string> {
  const path = join(hub.directory, name);
  await writeFile(path, JSON.stringify(content));
  return path;
}

const gadget = {
  apiVersion: 'operators.example.com/v1',
  kind: 'Gadget',
  metadata: { name: 'one', namespace: 'default' },
  spec: {
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'main', image: 'nginx' }] } },
    issuerRef: { name: 'ca' },
    values: { free: { form: [1, 'two'] } },
    endpoints: [{ name: 'http', protocol: 'TCP', port: 80 }], // a default within a list would be a difference for kubectl
    sources: [{ url: 'https://a.b', path: 'x' }],
  },
};

const definitions = ['Gadget', 'Gizmo', 'Sprocket'].map(largeDefinition);
const list = { apiVersion: 'v1', kind: 'List', items: definitions };
const text = JSON.stringify(list, undefined, 1);

t.test('large definitions are applied, twice, and server-side', async (t) => {
  t.comment(`${text.split('\n').length} lines, ${text.length} bytes`);
  const file = await fileOf('definitions.json', list);
  // What kubectl apply keeps of a definition would be more than annotations may have: as for the real ones.
  const first = await kubectl(t, 'apply', '--server-side', '-f', file);
  t.equal(first.match(/ serverside-applied$/gm)?.length, definitions.length);
  const { revision } = hub.registry;
  await kubectl(
    t,
    'wait',
    '--for=condition=Established',
    '--timeout=60s',
    'crd/gadgets.operators.example.com',
  );
  await kubectl(t, 'apply', '--server-side', '-f', file);
  t.ok(
    hub.registry.revision - revision <= 2 * definitions.length,
    'the same again changes nothing but conditions',
  );
  t.match(await kubectl(t, 'get', 'crd'), /gadgets\.operators\.example\.com\s+\d{4}-/);
  t.match(
    await kubectl(t, 'api-resources', '--api-group=operators.example.com'),
    /gadgets\s+gadg\s+operators\.example\.com\/v1\s+true\s+Gadget/,
  );
});

t.test('a small definition is applied by the client, changed and unchanged', async (t) => {
  const small = definitionOf('Lamp', objectOf({ spec: objectOf({ watts: { type: 'integer' } }) }));
  const file = await fileOf('small.json', small);
  t.match(await kubectl(t, 'apply', '-f', file), 'created');
  await kubectl(t, 'wait', '--for=condition=Established', '--timeout=60s', 'crd/lamps.example.com');
  t.match(await kubectl(t, 'apply', '-f', file), 'unchanged');
  const wider = definitionOf(
    'Lamp',
    objectOf({ spec: objectOf({ watts: { type: 'integer' }, hue: { type: 'string' } }) }),
  );
  t.match(await kubectl(t, 'apply', '-f', await fileOf('wider.json', wider)), 'configured');
  t.match(await kubectl(t, 'explain', 'lamps.spec'), /hue\s+<string>/);
});

t.test('instances: create, apply, get, explain, patch, scale, wait', async (t) => {
  const file = await fileOf('gadget.json', gadget);
  await kubectl(t, 'apply', '-f', file);
  const { revision } = hub.registry;
  t.match(await kubectl(t, 'apply', '-f', file), 'unchanged');
  t.equal(hub.registry.revision, revision);
  t.match(await kubectl(t, 'apply', '--server-side', '--force-conflicts', '-f', file), 'serverside-applied');
  t.match(await kubectl(t, 'get', 'gadg'), /NAME\s+READY\s+DESIRED\s+AGE\n/);
  t.match(await kubectl(t, 'get', 'gadgets', '-o', 'wide'), /ISSUER[\s\S]*one\s.*\bca\b/);
  t.match(await kubectl(t, 'get', 'all'), 'gadget.operators.example.com/one');
  t.match(await kubectl(t, 'explain', 'gadgets.spec.template.spec.containers'), /containers\s+<\[\]Object>/);
  t.match(await kubectl(t, 'explain', 'gadgets.spec.interval'), /FIELD: interval <string>/);
  t.match(
    await kubectl(t, 'explain', 'gadgets.spec.interval', '--output=plaintext-openapiv2'),
    /KIND: +Gadget[\s\S]*FIELD: +interval <string>/,
  );
  await kubectl(t, 'patch', 'gadget', 'one', '--type=merge', '-p', '{"spec":{"replicas":2}}');
  await kubectl(
    t,
    'patch',
    'gadget',
    'one',
    '--type=json',
    '-p',
    '[{"op":"replace","path":"/spec/replicas","value":3}]',
  );
  await kubectl(t, 'scale', 'gadget/one', '--replicas=4');
  t.equal(await kubectl(t, 'get', 'gadget', 'one', '-o', 'jsonpath={.spec.replicas}'), '4');
  const ready = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}';
  await kubectl(t, 'patch', 'gadget', 'one', '--subresource=status', '--type=merge', '-p', ready);
  await kubectl(t, 'wait', '--for=condition=Ready', '--timeout=60s', 'gadget/one');
  await kubectl(t, 'wait', '--for=jsonpath={.spec.replicas}=4', '--timeout=60s', 'gadget/one');
  await kubectl(t, 'label', 'gadget', 'one', 'x=y');
  t.match(await kubectl(t, 'describe', 'gadget', 'one'), /Replicas:\s+4/);
});

t.test('status and scale in a version that is not the stored one', async (t) => {
  const schema = objectOf({
    spec: objectOf({ replicas: { type: 'integer' } }),
    status: objectOf({ replicas: { type: 'integer' }, phase: { type: 'string' } }),
  });
  const subresources = {
    status: {},
    scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
  };
  const version = (name: string, storage: boolean) => ({
    ...{ name, served: true, storage, subresources },
    schema: { openAPIV3Schema: schema },
  });
  await define(
    hub,
    definitionOf('Fleet', schema, {}, { versions: [version('v1', true), version('v1beta1', false)] }),
  );
  const fleet = (more: object) => ({
    apiVersion: 'example.com/v1beta1',
    kind: 'Fleet',
    metadata: { name: 'f', namespace: 'default' },
    ...more,
  });
  const apply = async (manager: string, part: object, ...more: string[]) =>
    kubectl(
      t,
      'apply',
      '--server-side',
      `--field-manager=${manager}`,
      '-f',
      await fileOf('fleet.json', fleet(part)),
      ...more,
    );
  const read = (path: string, resource = 'fleets.v1beta1.example.com', ...more: string[]) =>
    kubectl(t, 'get', resource, 'f', '-o', `jsonpath=${path}`, ...more);
  await apply('owner', { spec: { replicas: 1 } });
  await apply('observer', { status: { replicas: 1, phase: 'Up' } }, '--subresource=status');
  t.equal(await read('{.apiVersion} {.spec.replicas} {.status.phase}'), 'example.com/v1beta1 1 Up');
  t.equal(await read('{.apiVersion} {.status.phase}', 'fleets.v1.example.com'), 'example.com/v1 Up');
  const managers = await read(
    '{range .metadata.managedFields[*]}{.manager} {.apiVersion} {.subresource}{"\\n"}{end}',
    'fleets.v1beta1.example.com',
    '--show-managed-fields',
  );
  t.same(
    managers.split('\n').filter(Boolean).sort(), // the older comes first, if there is a second between them
    ['observer example.com/v1 status', 'owner example.com/v1 '],
    'who manages what is told in terms of the stored version',
  );
  await apply('observer', { status: { phase: 'Down' } }, '--subresource=status');
  t.equal(await read('{.status}'), '{"phase":"Down"}', 'what is applied no more goes');

  await kubectl(t, 'scale', 'fleets.v1beta1.example.com/f', '--replicas=3');
  t.equal(await read('{.spec.replicas}'), '3');
  const scale = fleet({ apiVersion: 'autoscaling/v1', kind: 'Scale', spec: { replicas: 5 } });
  const url = `/apis/example.com/v1beta1/namespaces/default/fleets/f/scale?fieldManager=scaler&force=true`;
  const applied = await hub.patch(url, 'apply', scale);
  t.match(applied, { code: 200, body: { kind: 'Scale', spec: { replicas: 5 } } });
  t.equal(await read('{.spec.replicas}', 'fleets.v1.example.com'), '5');
  const managed = await read(
    '{.metadata.managedFields}',
    'fleets.v1beta1.example.com',
    '--show-managed-fields',
  );
  t.match(
    (JSON.parse(managed) as { manager: string }[]).find(({ manager }) => manager === 'scaler'),
    { operation: 'Apply', subresource: 'scale', fieldsV1: { 'f:spec': { 'f:replicas': {} } } },
  );
});

t.test('what is wrong is told', async (t) => {
  const bad = {
    ...gadget,
    metadata: { name: 'bad' },
    spec: { ...gadget.spec, keyAlgorithm: 'DSA', sources: [{ url: 'x' }] },
  };
  const file = await fileOf('bad.json', bad);
  const message = await new Promise<string>((resolve) => {
    execFile(program, [...flags, 'create', '-f', file], (_, __, err) => resolve(err));
  });
  t.match(
    message,
    'spec.keyAlgorithm: Unsupported value: "DSA": supported values: "RSA", "ECDSA", "Ed25519"',
  );
  t.match(
    message,
    '<nil>: Invalid value: "": "spec.sources[0]" must validate one and only one schema (oneOf). Found none valid',
  );
});

t.test('how long a write takes', async (t) => {
  const path = '/apis/operators.example.com/v1/namespaces/default/gadgets';
  const startedMs = performance.now();
  const count = 100;
  for (let index = 0; index < count; index++) {
    const { code } = await hub.call('POST', path, {
      body: { ...gadget, metadata: { name: `many-${index}` } },
    });
    t.equal(code, 201);
  }
  const each = (performance.now() - startedMs) / count;
  t.comment(`${each.toFixed(2)} ms each`);
  const definedMs = performance.now();
  await define(hub, largeDefinition('Lever'));
  const servedMs = performance.now() - definedMs;
  t.comment(`${servedMs.toFixed(0)} ms until a large definition is served`);
  t.ok(servedMs < 2_000);
  t.ok(each < 100);
});

t.test('@kubernetes/client-node', async (t) => {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const objects = KubernetesObjectApi.makeApiClient(config);
  const made = await objects.create({ ...gadget, metadata: { name: 'two', namespace: 'default' } });
  t.match(made, { kind: 'Gadget', spec: { replicas: 1, interval: '30s' } });
  t.match(await objects.read({ ...gadget, metadata: { name: 'two', namespace: 'default' } }), {
    metadata: { name: 'two' },
  });
  const custom = config.makeApiClient(CustomObjectsApi);
  const where = {
    group: 'operators.example.com',
    version: 'v1beta1',
    namespace: 'default',
    plural: 'gadgets',
  };
  const seen = await custom.getNamespacedCustomObject({ ...where, name: 'two' });
  t.match(seen, { apiVersion: 'operators.example.com/v1beta1', spec: { issuerRef: { kind: 'Issuer' } } });
  await custom.deleteNamespacedCustomObject({ ...where, name: 'two' });
  t.equal((await hub.call('GET', '/apis/operators.example.com/v1/namespaces/default/gadgets/two')).code, 404);
});

t.test('a definition goes with its instances', async (t) => {
  await kubectl(t, 'delete', 'crd', 'gadgets.operators.example.com', '--timeout=60s');
  t.notMatch(await kubectl(t, 'api-resources', '--api-group=operators.example.com'), 'gadgets');
  await until('nothing is left', () => hub.registry.definitions.every(({ plural }) => plural !== 'gadgets'));
});

t.test('nothing went wrong inside', async (t) => t.same(hub.errors, []));
