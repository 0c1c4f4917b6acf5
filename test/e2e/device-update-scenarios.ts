import type { Test } from 'tap';
import { appUnderPolicy, quickPolicy } from '../support/app-under-policy.ts';
import { Engine } from '../support/engine.ts';
import { freePort } from '../support/free-port.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * One device that changes from one revision to the next: real processes, real containers, a link that is really cut.
 */

const PATIENCE_MS = 90_000;

interface RolloutSeen {
  readonly status?: { readonly phase?: string; readonly message?: string; readonly failed?: number };
}

const policy = (device: object = {}) => quickPolicy({ device });

/** A server on a port of the device, so that two of them cannot run at once. */
const daemonSet = (image: string, port: number, container: object = {}) =>
  appUnderPolicy({
    image,
    command: ['sh', '-c', `httpd -p 8080 -h /www; ${WORK}`],
    ...(port > 0 && { ports: [{ containerPort: 8080, hostPort: port }] }),
    ...container,
  });

/** It runs, and never becomes ready. */
const NEVER_READY = { readinessProbe: { exec: { command: ['false'] }, periodSeconds: 1 } };

export async function deviceUpdateScenarios(t: Test, transport: 'mqtt' | 'grpc'): Promise<void> {
  const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
  const stand = new Stand(engine, transport, `device-update-${transport}`);
  t.teardown(() => stand.close());
  const name = `update-${transport}`;
  const image = (version: number) => appImage(version, name);
  const port = await freePort();
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
  const isThere = async (tag: string) =>
    (await engine.docker.listImages()).some(({ RepoTags }) => RepoTags?.includes(tag));
  const row = () =>
    stand.kubectl('get', 'deviceupdates', '-o', 'jsonpath={.items[0].spec.step} {.items[0].spec.reason}');

  await makeAppImages(engine, [1, 2, 3, 4], name);
  await stand.start();
  await stand.apply({ apiVersion: 'v1', kind: 'List', items: [policy(), daemonSet(image(1), port)] });
  await stand.kubectl('rollout', 'status', 'daemonset/app', '--timeout=60s');
  await runs(image(1));

  await t.test('a good revision takes the place, the port of the device with it', async (t) => {
    await stand.apply(daemonSet(image(2), port));
    await rollout('app-2', 'Succeeded');
    await stand.kubectl('rollout', 'status', 'daemonset/app', '--timeout=60s');
    await runs(image(2));
    t.equal(await row(), 'Succeeded Healthy');
    await until(
      'one pod is left',
      async () => (await stand.kubectl('get', 'pods', '-o', 'name')).trim().split('\n').length === 1,
    );
  });

  await t.test(
    'cut off, and its agent killed as well: a bad revision is gone back from by the device alone',
    async (t) => {
      const before = await runs(image(2));
      await stand.apply(daemonSet(image(3), port, NEVER_READY));
      await runs(image(3));
      await stand.cutLink();
      await stand.agent.end('SIGKILL');
      await stand.startAgent();
      const after = await runs(image(2));
      t.equal(after.pod, before.pod, 'the pod of before, not a new one');
      await stand.restoreLink();
      const { status } = await rollout('app-3', 'Paused');
      t.match(status, { failed: 1, message: /^gate health: 1 of 1 device did not take/ });
      t.equal(await row(), 'Rejected DeadlineExceeded');
      await until(
        'what was rejected is gone',
        async () =>
          !(await stand.kubectl('get', 'pods', '-o', 'wide')).includes('WaitingForUpdate') &&
          (await engine.containers(stand.node, { all: true })).every((seen) => seen.image !== image(3)),
      );
      t.equal((await runs(image(2))).id, after.id, 'and nothing was restarted by the connection');
    },
  );

  await t.test(
    'a container that crashes is rejected by its restarts; undone by kubectl, nothing restarts',
    async (t) => {
      const before = await runs(image(2));
      await stand.apply(daemonSet(image(4), port, { command: ['false'] }));
      await rollout('app-4', 'Paused');
      t.equal(await row(), 'Rejected Restarts');
      const back = await runs(image(2));
      t.equal(back.pod, before.pod);
      await stand.kubectl('rollout', 'undo', 'daemonset/app', '--to-revision=2');
      await rollout('app-5', 'Succeeded');
      t.equal((await runs(image(2))).id, back.id);
      t.match(await stand.kubectl('rollout', 'history', 'daemonset/app'), /5 /);
    },
  );

  await t.test('start-first: the old one runs until the new one has proved itself', async (t) => {
    await stand.apply(policy({ order: 'start-first' }));
    await stand.apply(daemonSet(image(2), 0)); // both at once need a port each
    await rollout('app-6', 'Succeeded');
    await runs(image(2));
    const [before] = await running();
    await stand.apply(daemonSet(image(3), 0));
    await until('both run', async () => (await running()).length === 2, PATIENCE_MS);
    t.ok((await running()).some(({ id }) => id === before?.id));
    await rollout('app-7', 'Succeeded');
    await runs(image(3));
  });

  await t.test('stop-then-download, and delete-then-download, which leaves no image behind', async (t) => {
    await stand.apply(policy({ order: 'stop-then-download' }));
    await stand.apply(daemonSet(image(4), 0));
    await rollout('app-8', 'Succeeded');
    await runs(image(4));
    await stand.apply(policy({ order: 'delete-then-download' }));
    await stand.apply(daemonSet(image(3), 0));
    await rollout('app-9', 'Succeeded');
    await runs(image(3));
    t.notOk(await isThere(image(4)), 'its image is gone');
  });

  await t.test('outside of its window a device waits, and says so', async (t) => {
    const { id } = await runs(image(3));
    const hour = (new Date().getUTCHours() + 12) % 24;
    const closed = { schedule: `0 ${hour} * * *`, duration: '1h', timeZone: 'Etc/UTC' };
    await stand.apply(policy({ windows: [closed] }));
    await stand.apply(daemonSet(image(2), 0));
    await until('it waits', async () => (await row()) === 'Applying WaitingForWindow', PATIENCE_MS);
    t.equal((await runs(image(3))).id, id);
    t.match(await stand.kubectl('get', 'rollout', 'app-10', '-o', 'wide'), '1 device waits for its window');
    await stand.apply(policy({ windows: [closed, { schedule: '* * * * *', duration: '2m' }] }));
    await stand.apply(daemonSet(image(1), 0));
    await rollout('app-11', 'Succeeded');
    await runs(image(1));
  });
}
