import t from 'tap';
import type { RolloutObject } from '../../hub/fleet/rollout.ts';
import type { PodObject } from '../../hub/resources/typed.ts';
import { appUnderPolicy, quickPolicy } from '../support/app-under-policy.ts';
import { Engine } from '../support/engine.ts';
import { freePort } from '../support/free-port.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Content of ConfigMaps and Secrets on a real device: real processes, real containers, a link that is really cut. */

const PATIENCE_MS = 60_000;
const NAME = 'configured';

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const stand = new Stand(engine, 'mqtt', 'device-configured');
t.teardown(() => stand.close());
const port = await freePort();

const policy = (configuration: string) => quickPolicy({ configuration });
const configMap = (text: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'app', namespace: 'default' },
  data: { text },
});
const secret = (word: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'db', namespace: 'default' },
  stringData: { WORD: word },
});

/** It serves what it reads on a port of the device, and is not ready while that is `bad`. */
const daemonSet = appUnderPolicy(
  {
    image: appImage(1, NAME),
    command: ['sh', '-c', `echo "$(cat /etc/app/text) $WORD" > /www/text; httpd -p 8080 -h /www; ${WORK}`],
    envFrom: [{ secretRef: { name: 'db' } }],
    ports: [{ containerPort: 8080, hostPort: port }],
    volumeMounts: [{ name: 'app', mountPath: '/etc/app' }],
    readinessProbe: { exec: { command: ['test', '!', '-e', '/etc/app/text.bad'] }, periodSeconds: 1 },
  },
  { volumes: [{ name: 'app', configMap: { name: 'app' } }] },
);

async function served(): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/text`, { signal: AbortSignal.timeout(2_000) });
  return (await answer.text()).trim();
}

const serves = (text: string) =>
  until(`the device serves ${text}`, async () => (await served().catch(() => '')) === text, PATIENCE_MS);

const rollout = (name: string, phase: string) =>
  until(
    `rollout ${name} is ${phase}`,
    async () => {
      const path = `/apis/fleet.holdfast.dev/v1/namespaces/default/rollouts/${name}`;
      const found = await stand.api.find<RolloutObject>(path);
      return found?.status?.phase === phase ? found : undefined;
    },
    PATIENCE_MS,
  );

const podCount = async () =>
  (await stand.api.call<{ items: PodObject[] }>('GET', '/api/v1/namespaces/default/pods')).items.length;

await makeAppImages(engine, [1], NAME);
await stand.start();
const items = [policy('revisioned'), configMap('one'), secret('x'), daemonSet];
await stand.apply({ apiVersion: 'v1', kind: 'List', items });
await serves('one x');

t.test('another content is another revision', async (t) => {
  await stand.apply(configMap('two'));
  t.equal((await rollout('app-2', 'Succeeded')).spec.cause, 'ConfigMap/app changed');
  await serves('two x');
  await stand.apply(secret('y'));
  await rollout('app-3', 'Succeeded');
  await serves('two y');
});

t.test('cut off: the device goes back from bad content by itself, to the content of before', async (t) => {
  await until('one pod is left', async () => (await podCount()) === 1);
  const [before] = await engine.containers(stand.node);
  await stand.apply({ ...configMap('three'), data: { text: 'three', 'text.bad': '' } });
  await serves('three y');
  await stand.cutLink();
  await serves('two y');
  const running = (await engine.containers(stand.node)).filter((each) => each.running);
  t.same(
    running.map(({ pod }) => pod),
    [before?.pod],
    'in the pod of before',
  );
  await stand.restoreLink();
  t.match((await rollout('app-4', 'Paused')).status, { failed: 1 });
});

t.test('an undo takes the content along, and a device whose agent starts anew keeps it', async () => {
  await stand.kubectl('rollout', 'undo', 'daemonset/app', '--to-revision=1');
  await rollout('app-5', 'Succeeded');
  await serves('one x');
  await stand.agent.end('SIGKILL');
  await stand.startAgent();
  await stand.agent.line(/connected to the hub/);
  await serves('one x');
  await stand.apply(configMap('four'));
  await rollout('app-6', 'Succeeded');
  await serves('four y');
});

t.test('live: files follow the ConfigMap without another revision, as in Kubernetes', async (t) => {
  await stand.apply(policy('live'));
  await rollout('app-7', 'Succeeded');
  await serves('four y');
  await until('one pod is left', async () => (await podCount()) === 1, PATIENCE_MS);
  const [pod] = (await stand.api.call<{ items: PodObject[] }>('GET', '/api/v1/namespaces/default/pods'))
    .items;
  await stand.apply(configMap('five'));
  const cat = () => stand.kubectl('exec', pod?.metadata.name ?? '', '--', 'cat', '/etc/app/text');
  await until('the file is another', async () => (await cat()) === 'five', PATIENCE_MS);
  t.equal(await served(), 'four y', 'the container was not restarted');
  t.equal(await podCount(), 1);
});
