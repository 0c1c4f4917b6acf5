import t from 'tap';
import { digestTag } from '../../agent/runtime/digest-tag.ts';
import { Engine } from '../support/engine.ts';
import { ImageRegistry } from '../support/image-registry.ts';
import { WORK } from '../support/images.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * What a device downloads before it switches, and what it keeps to go back to: a real engine, a registry whose
 * requests are counted.
 */

const PATIENCE_MS = 60_000;

const policy = (device: object = {}) => ({
  apiVersion: 'fleet.holdfast.dev/v1',
  kind: 'RolloutPolicy',
  metadata: { name: 'careful', namespace: 'default' },
  spec: {
    stage: {},
    gates: { health: { minHealthy: '2s', maxRestarts: 0, minAttempted: 1 } },
    deadline: { perDeviceApply: '15s' },
    device: { minFreeDisk: '0', ...device },
  },
});

const daemonSet = (name: string, image: string, container: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name, namespace: 'default', annotations: { 'fleet.holdfast.dev/rollout-policy': 'careful' } },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: 'main', image, command: ['sh', '-c', WORK], ...container }],
      },
    },
  },
});

const NEVER_READY = { readinessProbe: { exec: { command: ['false'] }, periodSeconds: 1 } };

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const registry = await ImageRegistry.start();
const stand = new Stand(engine, 'mqtt', 'device-staging');
const images = [1, 2, 3, 4, 5].map((version) => registry.add(version));
t.teardown(async () => {
  await stand.close();
  registry.close();
  const mine = images.flatMap(({ tagged, byDigest }) => [tagged, byDigest, digestTag(byDigest) ?? '']);
  for (const name of mine)
    await engine.docker
      .getImage(name)
      .remove({ force: true })
      .catch(() => {});
});
const imageOf = (version: number) => images[version - 1] as (typeof images)[number];
const runs = (app: string, image: string) =>
  until(
    `of ${app} only ${image} runs`,
    async () => {
      const all = await engine.containers(stand.node);
      const found = all.filter(({ pod, running }) => running && pod.startsWith(`${app}-`));
      return found.length === 1 && found[0]?.image === image ? found[0] : undefined;
    },
    PATIENCE_MS,
  );
const rowIs = (app: string, wanted: string) =>
  until(
    `the row of ${app} says ${wanted}`,
    async () => {
      const path = 'jsonpath={.spec.step} {.spec.reason} {.spec.message}';
      const found = await stand.kubectl('get', 'deviceupdate', `${app}.${stand.node}`, '-o', path);
      return found.startsWith(wanted) ? found : undefined;
    },
    PATIENCE_MS,
  );
const isThere = (image: string) =>
  engine.docker
    .getImage(image)
    .inspect()
    .then(
      () => true,
      () => false,
    );
const staged = async (app: string, image: string) => {
  const { items } = JSON.parse(await stand.kubectl('get', 'pods', '-l', `app=${app}`, '-o', 'json')) as {
    items: {
      spec: { containers: { image: string }[] };
      status: { conditions?: { type: string; message?: string; status: string }[] };
    }[];
  };
  const pod = items.find(({ spec }) => spec.containers[0]?.image === image);
  return pod?.status.conditions?.find(({ type }) => type === 'fleet.holdfast.dev/Staged');
};

await stand.start();
await stand.apply(policy());
await stand.apply(daemonSet('app', imageOf(1).tagged));
await stand.apply(daemonSet('beside', imageOf(1).tagged));
await Promise.all([runs('app', imageOf(1).tagged), runs('beside', imageOf(1).tagged)]);

t.test('staged by a tag: which digest that was; then taken', async (t) => {
  await stand.apply(daemonSet('app', imageOf(2).tagged));
  await runs('app', imageOf(2).tagged);
  await rowIs('app', 'Succeeded Healthy');
  const found = await staged('app', imageOf(2).tagged);
  t.match(found, { status: 'True', message: `${imageOf(2).tagged} is ${imageOf(2).digest}` });
});

t.test('gone back from: not a byte is downloaded, though others clear the disk meanwhile', async (t) => {
  const before = await runs('app', imageOf(2).tagged);
  await stand.apply(daemonSet('beside', imageOf(2).tagged));
  await runs('beside', imageOf(2).tagged);
  await rowIs('beside', 'Succeeded Healthy');
  await stand.apply(daemonSet('app', imageOf(3).byDigest, NEVER_READY));
  await runs('app', imageOf(3).byDigest);
  await stand.apply(policy({ order: 'delete-then-download' }));
  await stand.apply(daemonSet('beside', imageOf(4).tagged));
  await runs('beside', imageOf(4).tagged);
  t.ok(await isThere(imageOf(2).tagged), 'what app has to go back to, and beside does not need any more');
  registry.asked.length = 0;
  await rowIs('app', 'Rejected DeadlineExceeded');
  t.equal((await runs('app', imageOf(2).tagged)).pod, before.pod);
  t.same(registry.asked, []);
});

t.test('a third revision while the second is on trial: what is needed to go back to is kept', async (t) => {
  await stand.apply(policy());
  await stand.kubectl('rollout', 'undo', 'daemonset/app', '--to-revision=2');
  const before = await runs('app', imageOf(2).tagged);
  await stand.apply(daemonSet('app', imageOf(4).byDigest, NEVER_READY));
  await runs('app', imageOf(4).byDigest);
  await stand.apply(daemonSet('app', imageOf(5).byDigest, NEVER_READY));
  await runs('app', imageOf(5).byDigest);
  t.ok(await isThere(imageOf(2).tagged));
  registry.asked.length = 0;
  await rowIs('app', 'Rejected DeadlineExceeded');
  t.equal((await runs('app', imageOf(2).tagged)).pod, before.pod);
  t.same(registry.asked, []);
});

t.test('on a disk without room nothing is downloaded, and the row says so', async (t) => {
  const { id } = await runs('app', imageOf(2).tagged);
  await engine.docker
    .getImage(imageOf(1).tagged)
    .remove({ force: true })
    .catch(() => {});
  await stand.apply(policy({ minFreeDisk: '99%' }));
  registry.asked.length = 0;
  const unseen = registry.add(6);
  t.teardown(() =>
    engine.docker
      .getImage(digestTag(unseen.byDigest) ?? '')
      .remove({ force: true })
      .catch(() => {}),
  );
  await stand.apply(daemonSet('app', unseen.byDigest));
  const row = await rowIs('app', 'Staging InsufficientDisk');
  t.match(row, /the engine's disk "\/.*" has .* free of .*, and must have .* \(99%\) before a download/);
  t.same(registry.asked, []);
  t.equal((await runs('app', imageOf(2).tagged)).id, id);
  t.match(await rowIs('app', 'Failed StageDeadlineExceeded'), /must have/);
  await stand.apply(policy({ minFreeDisk: '1Mi' }));
  await stand.apply(daemonSet('app', unseen.byDigest, { env: [{ name: 'AGAIN', value: '1' }] }));
  await runs('app', unseen.byDigest);
});
