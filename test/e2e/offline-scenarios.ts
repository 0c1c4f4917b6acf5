import type { Test } from 'tap';
import type { PrivateEngine, SeenContainer } from '../support/engine.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import type { PodmanEngine } from '../support/podman-engine.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * What a device does while its hub cannot be reached, and when it comes back: with real processes, a real engine and a
 * wire that is really cut. The same for each transport.
 */

const RESYNC_MS = 90_000; // longer than the longest pause between two attempts to connect

const podSpec = (image: string) => ({
  terminationGracePeriodSeconds: 5,
  containers: [{ name: 'main', image, command: ['sh', '-c', WORK] }],
});

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: podSpec(appImage(1)) },
  },
};

const daemonSet = {
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'everywhere', namespace: 'default' },
  spec: {
    selector: { matchLabels: { app: 'everywhere' } },
    template: { metadata: { labels: { app: 'everywhere' } }, spec: podSpec(appImage(1)) },
  },
};

const pod = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: podSpec(appImage(1)),
});

/** Ends the engine as well. `comesBack`: not only what a device does without its hub, (a) to (d). */
export async function offlineScenarios(
  t: Test,
  transport: 'mqtt' | 'grpc',
  engine: PrivateEngine | PodmanEngine,
  { comesBack = true } = {},
): Promise<void> {
  const stand = new Stand(engine, transport, `device-${transport}`);
  const running = async () => (await engine.containers(stand.node)).filter((container) => container.running);
  const ids = (containers: readonly SeenContainer[]) => containers.map(({ id }) => id).sort();
  const settled = (count: number, timeoutMs?: number) =>
    until(
      `${count} containers run`,
      async () => {
        const found = await running();
        return found.length === count ? found : undefined;
      },
      timeoutMs,
    );
  const reconnected = async (work: () => Promise<unknown>) => {
    const said = stand.agent.lines.length;
    await work();
    await stand.agent.line(/connected to the hub/, said);
  };

  t.teardown(async () => {
    await stand.close();
    await engine.close();
  });
  await engine.start();
  await makeAppImages(engine, [1, 2, 3]);
  await stand.start();
  await stand.apply({ apiVersion: 'v1', kind: 'List', items: [deployment, daemonSet, pod('solo')] });
  await stand.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
  await stand.kubectl('rollout', 'status', 'daemonset/everywhere', '--timeout=60s');
  await stand.kubectl('wait', 'pod/solo', '--for=condition=Ready', '--timeout=60s');
  await settled(4);
  await stand.cutLink();

  await t.test('(a) cut off, a container that dies is restarted, and no other', async (t) => {
    const before = await settled(4);
    const [victim] = before.filter(({ pod }) => pod.startsWith('web-'));
    if (!victim) throw new Error('no pod of the Deployment runs');
    await engine.kill(victim.id);
    const after = await until('another container of the pod runs', async () => {
      const found = await running();
      return found.some(({ pod, id }) => pod === victim.pod && id !== victim.id) ? found : undefined;
    });
    const others = (containers: readonly SeenContainer[]) =>
      ids(containers.filter(({ pod }) => pod !== victim.pod));
    t.same(others(after), others(before));
    t.equal(after.length, 4);
  });

  await t.test('(b) cut off, the agent is killed and started again: no container restarts', async (t) => {
    const before = await settled(4);
    await stand.agent.end('SIGKILL');
    await stand.startAgent();
    await stand.agent.line(/no connection to the hub/);
    const told = await until('it has seen its containers', async () => {
      const status = stand.runAgent('status', '--output', 'json');
      t.equal(await status.exit(), 0, 'its local status works without a hub');
      const { connected, pods } = JSON.parse(status.lines.join('\n')) as {
        connected: boolean;
        pods: { name: string; status: { phase: string } }[];
      };
      const phases = pods.map(({ status: { phase } }) => phase);
      return phases.includes('Pending') ? undefined : { connected, phases };
    });
    t.same(told, { connected: false, phases: ['Running', 'Running', 'Running', 'Running'] });
    t.same(ids(await running()), ids(before));
  });

  await t.test('(c) cut off, the engine is stopped and started: every workload comes back', async (t) => {
    const before = await settled(4);
    await engine.stop();
    await engine.start();
    const after = await settled(4, 60_000);
    t.same(after.map(({ pod }) => pod).sort(), before.map(({ pod }) => pod).sort());
  });

  await t.test(
    '(d) cut off, all containers are removed: the agent makes them again from what it has stored',
    async (t) => {
      const before = await settled(4);
      await stand.agent.end('SIGKILL'); // also its memory is gone
      await engine.removeAllOf(stand.node);
      await stand.startAgent();
      const after = await settled(4);
      t.same(after.map(({ pod }) => pod).sort(), before.map(({ pod }) => pod).sort());
      t.notOk(
        after.some(({ id }) => ids(before).includes(id)),
        'they are new ones',
      );
    },
  );

  if (!comesBack) return;

  await t.test(
    '(e) what changed meanwhile arrives as the newest state; what did not change is not restarted',
    async (t) => {
      const before = await settled(4);
      const unchanged = (containers: readonly SeenContainer[]) =>
        ids(containers.filter(({ pod }) => !pod.startsWith('web-')));
      const said = stand.agent.lines.length;
      await stand.kubectl('set', 'image', 'deployment/web', `main=${appImage(2)}`);
      await stand.kubectl('scale', 'deployment/web', '--replicas=3');
      await stand.kubectl('set', 'image', 'deployment/web', `main=${appImage(3)}`);
      const newest = revisionIn(stand.hub.lines.findLast((line) => line.includes('snapshot sent')));
      await reconnected(() => stand.restoreLink());
      const taken = revisionIn(await stand.agent.line(/took a new desired state/, said));
      t.ok(
        taken >= newest,
        `the first that it takes, ${taken}, is not older than ${newest}: no step on the way`,
      );
      await stand.kubectl('rollout', 'status', 'deployment/web', `--timeout=${RESYNC_MS / 1000}s`);
      const after = await settled(5);
      const web = after.filter(({ pod }) => pod.startsWith('web-'));
      t.same(
        web.map(({ image }) => image),
        [appImage(3), appImage(3), appImage(3)],
      );
      t.same(unchanged(after), unchanged(before));
    },
  );

  await t.test('(f) a pod that was deleted meanwhile is gone', async (t) => {
    await stand.cutLink();
    await stand.kubectl('delete', 'pod', 'solo', '--wait=false');
    t.ok(
      (await running()).some(({ pod }) => pod === 'solo'),
      'it runs on while cut off',
    );
    await reconnected(() => stand.restoreLink());
    await stand.kubectl('wait', 'pod/solo', '--for=delete', '--timeout=60s');
    await until('its container is gone', async () =>
      (await engine.containers(stand.node, { all: true })).every(({ pod }) => pod !== 'solo'),
    );
    t.equal((await running()).length, 4);
  });

  await t.test(
    '(g) the hub is killed while it takes a hundred writes: all that it answered is there',
    async (t) => {
      const before = await settled(4);
      const answered: string[] = [];
      const path = '/api/v1/namespaces/default/configmaps';
      const writes = Array.from({ length: 100 }, async (_, index) => {
        const name = `written-${index}`;
        const object = {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name },
          data: { index: String(index) },
        };
        await stand.api.call('POST', path, object);
        answered.push(name);
        if (answered.length === 30) await stand.hub.end('SIGKILL');
      });
      await Promise.allSettled(writes);
      t.ok(answered.length >= 30, `${answered.length} writes were answered`);
      await reconnected(() => stand.startHub());
      const { items } = (await stand.api.call('GET', path)) as { items: { metadata: { name: string } }[] };
      const stored = new Set(items.map(({ metadata }) => metadata.name));
      t.same(
        answered.filter((name) => !stored.has(name)),
        [],
        'nothing that was answered is missing',
      );
      await stand.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
      t.same(ids(await running()), ids(before), 'no container was restarted');
    },
  );
}

/** The revision that a line of a log names: `"version":"1.17"`. */
function revisionIn(line: string | undefined): number {
  const { version } = JSON.parse(line ?? '{}') as { version?: string };
  return Number(version?.split('.')[1]);
}
