import t from 'tap';
import { Engine } from '../support/engine.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* A Deployment under a RolloutPolicy: two devices, real containers, and the real kubectl's words for it. */

const PATIENCE_MS = 60_000;
const NAME = 'deployment-rollout';
const NODES = ['device-deploy-a', 'device-deploy-b'];

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const stand = new Stand(engine, 'mqtt', NODES[0] ?? '');
t.teardown(() => stand.close());
const image = (version: number) => appImage(version, NAME);
await makeAppImages(engine, [1, 2, 3], NAME);
await stand.start();
await stand.addDevice(NODES[1] ?? '');

const policy = {
  apiVersion: 'fleet.holdfast.dev/v1',
  kind: 'RolloutPolicy',
  metadata: { name: 'careful', namespace: 'default' },
  spec: {
    waves: [{ name: 'canary', limit: 1 }],
    gates: { health: { minHealthy: '1s', maxRestarts: 0, minAttempted: 1 } },
    deadline: { perDeviceApply: '20s' },
    onFail: 'undo',
  },
};
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'app',
    namespace: 'default',
    annotations: { 'fleet.holdfast.dev/rollout-policy': 'careful' },
  },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: 'app' } },
    template: {
      metadata: { labels: { app: 'app' } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image: image(1), command: ['sh', '-c', WORK] }],
      },
    },
  },
};

/** The nodes and images of all containers that run, in order. */
async function running(): Promise<string[]> {
  const each = await Promise.all(
    NODES.map(async (node) =>
      (await engine.containers(node))
        .filter((container) => container.running)
        .map((container) => `${node} ${container.image}`),
    ),
  );
  return each.flat().sort();
}

const runs = (wanted: readonly string[]) =>
  until(`${wanted} run`, async () => `${await running()}` === `${wanted}`, PATIENCE_MS);
const phase = (name: string, wanted: string) =>
  stand.kubectl('wait', `--for=jsonpath={.status.phase}=${wanted}`, `rollout/${name}`, '--timeout=60s');

await stand.apply({ apiVersion: 'v1', kind: 'List', items: [policy, deployment] });
await stand.kubectl('rollout', 'status', 'deployment/app', '--timeout=60s');
const first = await running();
const of = (version: number) => first.map((line) => line.replace(image(1), image(version)));

t.test('a new image comes to each pod where it is', async (t) => {
  t.equal(first.length, 3);
  t.equal(new Set(first.map((line) => line.split(' ')[0])).size, 2, 'on both devices');
  await stand.kubectl('set', 'image', 'deployment/app', `main=${image(2)}`);
  const said = await stand.kubectl('rollout', 'status', 'deployment/app', '--timeout=60s');
  t.match(said, /successfully rolled out/);
  await phase('deploy-app-2', 'Succeeded');
  await runs(of(2));
  t.match(await stand.kubectl('rollout', 'history', 'deployment/app'), /\n1 .*\n2 /);
});

t.test('what does not start is gone back from by the device, and undone by the hub', async (t) => {
  await stand.kubectl('set', 'image', 'deployment/app', `main=${image(3)}`);
  const bad = { spec: { template: { spec: { containers: [{ name: 'main', command: ['false'] }] } } } };
  await stand.kubectl('patch', 'deployment/app', '-p', JSON.stringify(bad));
  await phase('deploy-app-4', 'Undone');
  await phase('deploy-app-5', 'Succeeded');
  await runs(of(2));
  t.equal(
    await stand.kubectl('get', 'deployment/app', '-o', 'jsonpath={.spec.template.spec.containers[0].image}'),
    image(2),
  );
});

t.test('kubectl undoes it, scales it and restarts it', async (t) => {
  await stand.kubectl('rollout', 'undo', 'deployment/app', '--to-revision=1');
  await stand.kubectl('rollout', 'status', 'deployment/app', '--timeout=60s');
  await runs(of(1));
  const ids = async () =>
    (await stand.kubectl('get', 'pods', '-l', 'app=app', '-o', 'jsonpath={.items[*].metadata.uid}')).split(
      ' ',
    );
  const before = await ids();
  await stand.kubectl('rollout', 'restart', 'deployment/app');
  await stand.kubectl('rollout', 'status', 'deployment/app', '--timeout=60s');
  await until('other pods run', async () => !(await ids()).some((id) => before.includes(id)), PATIENCE_MS);
  await runs(of(1));
  await stand.kubectl('scale', 'deployment/app', '--replicas=1');
  await until('one is left', async () => (await running()).length === 1, PATIENCE_MS);
  t.pass('it is');
});
