import { globSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { consentSocketPath } from '../../agent/local/server.ts';
import { appUnderPolicy, quickPolicy } from '../support/app-under-policy.ts';
import { Engine } from '../support/engine.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Programs on a device put its update off: real processes, real containers, the agent's real sockets. */

const PATIENCE_MS = 60_000;
/** Far less than any lease here stands for otherwise, and than anybody looks by the clock. */
const AT_ONCE_MS = 8_000;
const NAME = 'consent';
const image = (version: number) => appImage(version, NAME);

const policy = (maxDefer: string) => quickPolicy({ device: { consent: { maxDefer } } }, 'polite');

const daemonSet = (version: number, socketDir: string) =>
  appUnderPolicy(
    {
      image: image(version),
      command: ['sh', '-c', WORK],
      securityContext: { runAsUser: 1000 },
      volumeMounts: [{ name: 'agent', mountPath: '/run/holdfast' }],
    },
    { policy: 'polite', volumes: [{ name: 'agent', hostPath: { path: socketDir, type: 'Directory' } }] },
  );

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const stand = new Stand(engine, 'mqtt', 'device-consent');
t.teardown(() => stand.close());
await makeAppImages(engine, [1, 2, 3, 4, 5, 6], NAME);
await stand.start();
const apply = (version: number) => stand.apply(daemonSet(version, `${stand.runDir}/consent`));
const running = async () => (await engine.containers(stand.node)).filter((container) => container.running);
const runs = (version: number, timeoutMs = PATIENCE_MS) =>
  until(
    `only version ${version} runs`,
    async () => {
      const found = await running();
      return found.length === 1 && found[0]?.image === image(version) ? found[0] : undefined;
    },
    timeoutMs,
  );
const rowIs = (wanted: string) =>
  until(
    `the row says ${wanted}`,
    async () => {
      const path = 'jsonpath={.items[0].spec.step} {.items[0].spec.reason} {.items[0].spec.message}';
      const found = await stand.kubectl('get', 'deviceupdates', '-o', path);
      return found.startsWith(wanted) ? found : undefined;
    },
    PATIENCE_MS,
  );
/** The command on the device. */
async function lease(...args: string[]): Promise<string> {
  const program = stand.runAgent('lease', ...args);
  const code = await program.exit();
  if (code !== 0) throw new Error(program.lines.join('\n'));
  return program.lines.join('\n');
}
/** As a program does that was given the socket. */
function put(name: string, body: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const path = `/v1/leases/${name}`;
    const asked = request({ socketPath: consentSocketPath(stand.runDir), method: 'PUT', path }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asked.once('error', reject);
    asked.end(JSON.stringify(body));
  });
}

await stand.apply(policy('1h'));
await apply(1);
await runs(1);

t.test('put off by a lease, also by the next agent; given back, it switches at once', async (t) => {
  await lease('hold', 'printing', '--for', '10m', '--reason', 'a page');
  const { id } = await runs(1);
  await apply(2);
  const row = await rowIs('Applying WaitingForConsent');
  t.match(row, /lease printing puts it off until \d{4}-.*Z: a page$/);
  await until('the rollout says so', async () =>
    (await stand.kubectl('get', 'rollout', 'app-2', '-o', 'wide')).includes('1 device waits for consent'),
  );
  await engine.exec(id, 'test', '-S', '/run/holdfast/agent.sock');
  await stand.agent.end('SIGKILL');
  await stand.startAgent();
  await stand.agent.line(/connected to the hub/);
  t.match(await lease('list'), /printing +\(all\) +\d{4}-.*Z +a page/);
  t.equal((await runs(1)).id, id, 'untouched by all of it');
  await engine.exec(id, 'test', '-S', '/run/holdfast/agent.sock');
  await rowIs('Applying WaitingForConsent');
  await lease('release', 'printing');
  await runs(2, AT_ONCE_MS);
  await rowIs('Succeeded Healthy');
});

t.test(
  'a lease of its own pod ends by itself, though its agent was killed and the hub cannot be reached',
  async (t) => {
    const { id, pod } = await runs(2);
    const seconds = 15;
    t.equal(await put('own', { seconds, reason: 'a game', pod: `default/${pod}` }), 200);
    const endsAtMs = Date.now() + seconds * 1000;
    t.equal(await put('other', { seconds, pod: 'default/app-0' }), 404, 'of a pod that is not there');
    await apply(3);
    await rowIs('Applying WaitingForConsent');
    // What is to take its place has a token of its own, which only the hub can give.
    const tokens = join(stand.runDir, 'memory/pods/*/tokens.json');
    await until('the device has all that it needs', () => globSync(tokens).length === 2, PATIENCE_MS);
    await stand.cutLink();
    await stand.agent.end('SIGKILL');
    await stand.startAgent();
    t.equal((await runs(2)).id, id);
    await runs(3);
    t.ok(Date.now() >= endsAtMs - 500, 'not before it ended');
    await stand.restoreLink();
    await rowIs('Succeeded Healthy');
  },
);

t.test('a lease of another pod puts nothing off', async () => {
  await stand.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'beside', namespace: 'default' },
    spec: {
      nodeName: stand.node,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: image(1), command: ['sh', '-c', WORK] }],
    },
  });
  await until('it is there', async () => (await running()).length === 2, PATIENCE_MS);
  await lease('hold', 'beside', '--for', '10m', '--pod', 'default/beside');
  await stand.kubectl('delete', 'pod', 'beside');
  await apply(4);
  await runs(4);
  await rowIs('Succeeded Healthy');
});

t.test('nothing is put off for longer than the policy lets it be', async (t) => {
  await stand.apply(policy('4s'));
  await lease('hold', 'for-ever', '--for', '24h', '--reason', 'no');
  await apply(5);
  t.match(await rowIs('Applying WaitingForConsent'), 'when it may be put off no more: no');
  await runs(5);
  await rowIs('Succeeded Healthy');
  t.match(await lease('list'), /for-ever/, 'though the lease stands');
});

t.test('an undo is not put off', async (t) => {
  await stand.apply(policy('1h'));
  await apply(6);
  await rowIs('Applying WaitingForConsent');
  await lease('release', 'for-ever');
  await runs(6);
  await rowIs('Succeeded Healthy');
  await lease('hold', 'for-ever', '--for', '24h');
  await stand.kubectl('rollout', 'undo', 'daemonset/app');
  await runs(5);
  t.match(await lease('list'), /for-ever/);
});
