import t from 'tap';
import { ConfigurationError } from '../../../agent/pod/configuration-error.ts';
import { environment, expand } from '../../../agent/pod/environment.ts';
import type { Configuration, Container } from '../../../agent/pod/pod.ts';
import { parseQuantity } from '../../../agent/pod/quantity.ts';
import { container, makePod } from '../builders.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const configuration: Configuration = {
  configMap: (namespace, name) =>
    namespace === 'default' && name === 'conf'
      ? { data: { color: 'red', 'a.b': 'dotted' }, binaryData: { bytes: base64('not text') } }
      : undefined,
  secret: (namespace, name) =>
    namespace === 'default' && name === 'sec'
      ? { data: { password: base64('s3cret'), tricky: base64('$$(A) $(A)') } }
      : undefined,
};
const placement = {
  node: 'device',
  hostIp: '192.0.2.1',
  podIp: '172.17.0.9',
  allocatable: { cpu: '4', memory: '2048Ki', 'ephemeral-storage': '1Gi' },
};
const of = (spec: Partial<Container>, metadata = {}, serviceVariables: [string, string][] = []) => {
  const main = container('main', spec);
  const other = container('other', { resources: { limits: { cpu: '3' } } });
  const pod = makePod({ serviceAccountName: 'robot', containers: [main, other] }, metadata);
  const context = { configuration, placement, serviceVariables: new Map(serviceVariables) };
  return [...environment(pod, main, context)].map(([name, value]) => `${name}=${value}`);
};
const field = (fieldPath: string, metadata = {}) =>
  of({ env: [{ name: 'X', valueFrom: { fieldRef: { fieldPath } } }] }, metadata);

t.test('values and references', async (t) => {
  t.same(of({}), []);
  t.same(of({ env: [{ name: 'A', value: '1' }, { name: 'EMPTY' }] }), ['A=1', 'EMPTY=']);
  t.same(of({ env: [{ name: 'C', valueFrom: { configMapKeyRef: { name: 'conf', key: 'color' } } }] }), [
    'C=red',
  ]);
  t.throws(
    () => of({ env: [{ name: 'B', valueFrom: { configMapKeyRef: { name: 'conf', key: 'bytes' } } }] }),
    /couldn't find key bytes in ConfigMap default\/conf/,
    'bytes make no variable',
  );
  t.same(of({ env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 'sec', key: 'password' } } }] }), [
    'P=s3cret',
  ]);
  t.same(of({ envFrom: [{ configMapRef: { name: 'conf' }, prefix: 'CONF_' }] }), [
    'CONF_color=red',
    'CONF_a.b=dotted',
  ]);
  t.same(
    of({ envFrom: [{ secretRef: { name: 'sec' } }], env: [{ name: 'password', value: 'own' }] }),
    ['password=own', 'tricky=$$(A) $(A)'],
    'env wins over envFrom',
  );
});

t.test('what is missing is named, unless it is optional', async (t) => {
  const missing = (spec: Partial<Container>, message: RegExp) => {
    t.throws(() => of(spec), ConfigurationError);
    t.throws(() => of(spec), { message });
  };
  missing(
    { env: [{ name: 'C', valueFrom: { configMapKeyRef: { name: 'none', key: 'k' } } }] },
    /configmap "none" not found/,
  );
  missing(
    { env: [{ name: 'C', valueFrom: { configMapKeyRef: { name: 'conf', key: 'k' } } }] },
    /couldn't find key k in ConfigMap default\/conf/,
  );
  missing(
    { env: [{ name: 'C', valueFrom: { secretKeyRef: { name: 'none', key: 'k' } } }] },
    /secret "none" not found/,
  );
  missing({ envFrom: [{ configMapRef: { name: 'none' } }] }, /configmap "none" not found/);
  t.same(
    of({ env: [{ name: 'C', valueFrom: { configMapKeyRef: { name: 'none', key: 'k', optional: true } } }] }),
    [],
  );
  t.same(of({ envFrom: [{ secretRef: { name: 'none', optional: true } }] }), []);
});

t.test('fields of the pod', async (t) => {
  t.same(field('metadata.name'), ['X=web']);
  t.same(field('metadata.namespace'), ['X=default']);
  t.same(field('metadata.uid'), ['X=uid-web']);
  t.same(field("metadata.labels['app/x']", { labels: { 'app/x': 'v' } }), ['X=v']);
  t.same(field("metadata.annotations['none']"), ['X=']);
  t.same(field('spec.nodeName'), ['X=device']);
  t.same(field('spec.serviceAccountName'), ['X=robot']);
  t.same(field('status.hostIP'), ['X=192.0.2.1']);
  t.same(field('status.podIP'), ['X=172.17.0.9']);
  t.same(field('status.hostIPs'), ['X=192.0.2.1']);
  t.same(field('status.podIPs'), ['X=172.17.0.9']);
  t.throws(() => field('spec.volumes'), /field "spec.volumes" is not one/);
  t.throws(() => field('metadata.labels'), /field "metadata.labels" is not one/);
});

t.test('resources of the container', async (t) => {
  const resources = { limits: { cpu: '1500m', memory: '64Mi' }, requests: { cpu: '250m' } };
  const resource = (name: string, divisor?: string, more: object = {}) =>
    of({
      resources,
      env: [
        {
          name: 'R',
          valueFrom: { resourceFieldRef: { resource: name, ...(divisor && { divisor }), ...more } },
        },
      ],
    });
  t.same(resource('limits.cpu'), ['R=2'], 'rounded up');
  t.same(resource('limits.cpu', '1m'), ['R=1500']);
  t.same(resource('limits.memory', '1Mi'), ['R=64']);
  t.same(resource('requests.cpu', '1m'), ['R=250']);
  t.same(resource('limits.cpu', '0'), ['R=2'], 'no divisor is one');
  t.same(resource('limits.ephemeral-storage', '1Mi'), ['R=1024'], 'without a limit: what the node has');
  t.same(resource('requests.memory'), ['R=0'], 'without a request: nothing');
  t.same(resource('limits.cpu', '1', { containerName: 'other' }), ['R=3']);
  t.same(resource('limits.memory', '1Ki', { containerName: 'other' }), ['R=2048']);
  t.throws(
    () => resource('limits.cpu', '1', { containerName: 'none' }),
    /container "none" is not in the pod/,
  );
  t.throws(() => resource('cpu'), /resource "cpu" is not one/);
});

t.test('variables in values', async (t) => {
  const values = new Map([
    ['A', '1'],
    ['B_2', 'two'],
  ]);
  t.equal(expand('$(A)-$(B_2)', values), '1-two');
  t.equal(expand('$(NONE) $A $[A]', values), '$(NONE) $A $[A]', 'what is not known stays');
  t.equal(expand('$$(A) $$', values), '$(A) $', 'two dollar signs are one');
  t.same(
    of({
      env: [
        { name: 'A', value: '1' },
        { name: 'B', value: '$(A)2' },
      ],
    }),
    ['A=1', 'B=12'],
    'earlier ones may be used',
  );
  t.same(
    of({
      env: [
        { name: 'A', value: '1' },
        { name: 'T', valueFrom: { secretKeyRef: { name: 'sec', key: 'tricky' } } },
      ],
    }),
    ['A=1', 'T=$$(A) $(A)'],
    'what is looked up is taken as it is',
  );
});

t.test('variables of Services', async (t) => {
  const services: [string, string][] = [
    ['DB_SERVICE_HOST', '10.43.0.7'],
    ['DB_SERVICE_PORT', '5432'],
  ];
  const env = [
    { name: 'URL', value: 'db://$(DB_SERVICE_HOST):$(DB_SERVICE_PORT)' },
    { name: 'DB_SERVICE_PORT', value: '1' },
  ];
  t.same(of({ env }, {}, services), [
    'URL=db://10.43.0.7:5432',
    'DB_SERVICE_PORT=1',
    'DB_SERVICE_HOST=10.43.0.7',
  ]);
});

t.test('quantities', async (t) => {
  for (const [text, number] of [
    ['1', 1],
    ['500m', 0.5],
    ['64Mi', 64 * 2 ** 20],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['2e3', 2000],
    ['3k', 3000],
    [undefined, undefined],
    ['x', undefined],
    ['1Q', undefined],
  ] as const) {
    t.equal(parseQuantity(text), number, String(text));
  }
});
