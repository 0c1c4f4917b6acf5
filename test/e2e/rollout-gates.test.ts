import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { GateServer, json } from '../hub/controllers/rollout/gate-server.ts';
import { appUnderPolicy, quickPolicy } from '../support/app-under-policy.ts';
import { Engine } from '../support/engine.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Gates beyond health on a real device: what it checks itself, connected or not, and what it is asked. */

const PATIENCE_MS = 90_000;
const NAME = 'gates';

interface RolloutSeen {
  readonly status?: {
    readonly phase?: string;
    readonly message?: string;
    readonly waves?: readonly { readonly gates?: readonly object[] }[];
  };
}

const policy = (health: object, measured: readonly object[] = []) =>
  quickPolicy({
    gates: { health: { minHealthy: '1s', maxRestarts: 0, minAttempted: 1, ...health }, measured },
    deadline: { perDeviceApply: '20s' },
  });

/** `files` are what its server has. */
const daemonSet = (image: string, files: string) =>
  appUnderPolicy({
    image,
    command: [
      'sh',
      '-c',
      `mkdir /tmp/www && cd /tmp/www && touch none ${files}; httpd -p 8080 -h .; ${WORK}`,
    ],
    ports: [{ name: 'web', containerPort: 8080 }],
  });

const EXEC = { exec: { command: ['test', '-f', '/tmp/www/good'] }, period: '1s', failureThreshold: 2 };
const HTTP = { httpGet: { port: 'web', path: '/good' }, period: '1s', failureThreshold: 2 };

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const outside = await GateServer.start(t, json({ result: 'inconclusive', message: 'not yet' }));
const stand = new Stand(engine, 'mqtt', 'rollout-gates', ['--gate-servers', outside.url]);
t.teardown(() => stand.close());
const image = (version: number) => appImage(version, NAME);
const running = async () => (await engine.containers(stand.node)).filter((container) => container.running);
const runs = (wanted: string) =>
  until(
    `only ${wanted} runs`,
    async () => {
      const found = await running();
      return found.length === 1 && found[0]?.image === wanted ? found[0] : undefined;
    },
    PATIENCE_MS,
  );
const rollout = (name: string, phase: string) =>
  until(
    `rollout ${name} is ${phase}`,
    async () => {
      const path = `/apis/fleet.holdfast.dev/v1/namespaces/default/rollouts/${name}`;
      const found = (await stand.api.call('GET', path).catch(() => undefined)) as RolloutSeen | undefined;
      return found?.status?.phase === phase ? found : undefined;
    },
    PATIENCE_MS,
  );
const row = () =>
  stand.kubectl(
    'get',
    'deviceupdates',
    '-o',
    'jsonpath={.items[0].spec.step} {.items[0].spec.reason} {.items[0].spec.message}',
  );

await makeAppImages(engine, [1, 2, 3, 4], NAME);
await stand.start();
await stand.apply({
  apiVersion: 'v1',
  kind: 'List',
  items: [policy({ check: EXEC }), daemonSet(image(1), '')],
});
await stand.kubectl('rollout', 'status', 'daemonset/app', '--timeout=60s');
await runs(image(1));

await t.test('a command in the new pod that fails: the device goes back by itself, cut off', async (t) => {
  const before = await runs(image(1));
  await stand.apply(policy({ check: { ...EXEC, failureThreshold: 6 } }));
  await stand.apply(daemonSet(image(2), 'bad'));
  await runs(image(2));
  await stand.cutLink();
  const after = await runs(image(1));
  t.equal(after.pod, before.pod, 'the pod of before, not a new one');
  await stand.restoreLink();
  await rollout('app-2', 'Paused');
  t.equal(
    await row(),
    'Rejected CheckFailed its check failed 6 times in a row: the command ended with exit code 1',
  );
});

await t.test('a command that is well, and a request that is', async () => {
  await stand.apply(policy({ check: EXEC }));
  await stand.apply(daemonSet(image(3), 'good'));
  await rollout('app-3', 'Succeeded');
  await runs(image(3));
  await stand.apply(policy({ check: HTTP }));
  await stand.apply(daemonSet(image(4), 'good'));
  await rollout('app-4', 'Succeeded');
  await runs(image(4));
});

await t.test('a request that is not', async (t) => {
  await stand.apply(daemonSet(image(2), 'other'));
  await rollout('app-5', 'Paused');
  t.equal(await row(), 'Rejected CheckFailed its check failed 2 times in a row: it answered with status 404');
  await runs(image(4));
});

await t.test('what the device measures: within bounds, and not', async (t) => {
  const within =
    'metrics.memory > 1000 && metrics.memory < 500 * 1024 * 1024 && "main" in metrics.containers';
  await stand.apply(policy({}, [{ name: 'memory', devices: { expression: within } }]));
  await stand.apply(daemonSet(image(3), ''));
  const done = await rollout('app-6', 'Succeeded');
  t.match(done.status?.waves?.[0]?.gates, [{ name: 'memory', result: 'pass', message: /^holds for 1 of 1/ }]);
  await stand.apply(policy({}, [{ name: 'memory', devices: { expression: 'metrics.memory < 1000' } }]));
  await stand.apply(daemonSet(image(2), ''));
  const paused = await rollout('app-7', 'Paused');
  t.match(paused.status?.message, `gate memory: holds for 0 of 1 device, not for ${stand.node}`);
});

await t.test('another system is asked, with a signature, until it has decided', async (t) => {
  const key = join(stand.dir, 'hmac');
  writeFileSync(key, 'between us\n');
  const type = '--type=fleet.holdfast.dev/gate';
  await stand.kubectl('create', 'secret', 'generic', 'gates', type, `--from-file=hmac=${key}`);
  const signingSecret = { name: 'gates', key: 'hmac' };
  const webhook = { url: `${outside.url}/gate`, caBundle: outside.ca, signingSecret };
  await stand.apply(policy({}, [{ name: 'verdict', webhook }]));
  await stand.apply(daemonSet(image(3), 'fresh'));
  await until('it is asked', () => outside.seen.length > 0, PATIENCE_MS);
  outside.respond = json({ result: 'pass', message: 'go' });
  const { status } = await rollout('app-8', 'Succeeded');
  t.match(status?.waves?.[0]?.gates, [{ name: 'verdict', result: 'pass', message: 'go' }]);
  const [first] = outside.seen;
  const hmac = createHmac('sha256', 'between us').update(first?.body ?? '');
  t.equal(first?.headers['x-holdfast-signature'], `sha256=${hmac.digest('hex')}`);
  t.match(JSON.parse(first?.body ?? ''), {
    rollout: { name: 'app-8' },
    wave: { name: 'rest', succeeded: 1 },
  });
});

await t.test('servers that the hub may not ask are refused with the field', async (t) => {
  const gate = { name: 'hook', webhook: { url: 'https://169.254.169.254/latest' } };
  const refused = await stand.apply(policy({}, [gate])).then(
    () => '',
    (error: Error) => error.message,
  );
  t.match(refused, /spec\.gates\.measured\[0\]\.webhook\.url: Forbidden: the hub asks only servers/);
  const explained = await stand.kubectl('explain', 'rolloutpolicy.spec.gates.measured.devices.expression');
  t.match(explained, /CEL that holds for a device that does well/);
});
