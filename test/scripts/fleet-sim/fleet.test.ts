import t from 'tap';
import { Fleet } from '../../../scripts/fleet-sim/fleet.ts';
import type { Scenario } from '../../../scripts/fleet-sim/scenario.ts';
import { startHubInProcess } from '../../support/hub-in-process.ts';
import { until } from '../../support/until.ts';

/* A fleet of simulated devices on a real hub: what the hub sees of it must be what it would see of real ones. */

const SIZE = 30;
const SITE = 'topology.holdfast.dev/site';
const GRACE_SECONDS = 2;

const SCENARIO: Scenario = {
  all: { createMs: [1, 5], startMs: [1, 5], stopMs: 2, bytesPerSecond: 10e6 },
  images: {
    'app:1': { sizeBytes: 100e3 },
    'app:crash': { exit: { afterMs: 20, code: 3 } },
    'app:gone': { absent: true },
    'app:unready': { commands: [{ contains: 'ready', okUntilMs: 0 }] },
  },
  labels: { [SITE]: { prefix: 'site-', count: 3 } },
  groups: [
    { name: 'dark', devices: [3, 4, 5, 6], dark: [{ fromMs: 0 }] },
    { name: 'lost', devices: [8, 9], lost: { image: 'app:1' } },
    { name: 'full', devices: [7], diskFull: [{ fromMs: 0 }], labels: { disk: 'small' } },
  ],
};

const daemonSet = (name: string, image: string, spec: object = {}, container: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { ...spec, containers: [{ name: 'main', image, ...container }] },
    },
  },
});

interface SeenPod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly phase: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly {
      readonly restartCount: number;
      readonly state: { readonly waiting?: { readonly reason: string; readonly message: string } };
    }[];
  };
}

for (const transport of ['mqtt', 'grpc'] as const) {
  t.test(`over ${transport}`, async (t) => {
    const hub = await startHubInProcess('--node-monitor-grace-period', `${GRACE_SECONDS}`);
    const failures: Error[] = [];
    const fleet = await Fleet.start({
      hub: { host: '127.0.0.1', port: hub.ports.grpc },
      token: await hub.token(SIZE),
      kubeconfig: hub.kubeconfig,
      size: SIZE,
      transport,
      scenario: SCENARIO,
      seed: 1,
      stateInMemory: transport === 'mqtt',
      onFailure: (_, error) => failures.push(error),
    });
    t.teardown(async () => {
      await fleet.close();
      await hub.close();
    });
    const pods = async (app: string) => {
      const { items } = await hub.api.call('GET', `/api/v1/namespaces/default/pods?labelSelector=app=${app}`);
      return items as SeenPod[];
    };
    const create = (body: object) =>
      hub.api.call('POST', '/apis/apps/v1/namespaces/default/daemonsets', body);
    const waits = (pod: SeenPod | undefined) => pod?.status.containerStatuses?.[0]?.state.waiting;
    const podOn = async (app: string, node: string) =>
      (await pods(app)).find(({ spec }) => spec.nodeName === node);
    const readyNodes = async (ready: string) => {
      const { items } = await hub.api.call('GET', '/api/v1/nodes');
      const nodes = items as {
        metadata: { name: string };
        status?: { conditions?: SeenPod['status']['conditions'] };
      }[];
      return nodes
        .filter(({ status }) =>
          status?.conditions?.some((each) => each.type === 'Ready' && each.status === ready),
        )
        .map(({ metadata }) => metadata.name);
    };
    const [dark, lost, full] = [fleet.group('dark'), fleet.group('lost'), fleet.group('full')];
    const sound = fleet.devices.filter(({ plan }) => plan.groups.length === 0);

    await t.test('all that may be are connected, and labelled', async (t) => {
      t.same(fleet.summary().devices, {
        connected: SIZE - dark.length,
        disconnected: dark.length,
        off: 0,
        lost: 0,
      });
      const { items } = await hub.api.call('GET', `/api/v1/nodes?labelSelector=${SITE}=site-1`);
      t.equal((items as object[]).length, SIZE / 3);
      await until(
        'the connected ones are ready',
        async () => (await readyNodes('True')).length === SIZE - dark.length,
      );
    });

    await t.test('a DaemonSet runs on all of them; who was lost with it is NotReady', async (t) => {
      await create(daemonSet('app', 'app:1'));
      await Promise.all(sound.map((device) => device.runs('app:1')));
      await Promise.all(lost.map((device) => device.when(({ state }) => state === 'lost')));
      await until('the lost nodes are not ready', async () => {
        const unknown = await readyNodes('Unknown');
        return lost.every(({ name }) => unknown.includes(name));
      });
      t.equal(fleet.summary().running['app:1'], sound.length);
    });

    await t.test('a full disk is told as the engine tells it', async (t) => {
      const [device] = full;
      const waiting = await until('its pod waits', async () => waits(await podOn('app', device?.name ?? '')));
      t.match(waiting.reason, /^(ErrImagePull|ImagePullBackOff)$/);
      t.match(waiting.message, /no space left on device/);
    });

    await t.test('dark ones get it when they are back', async (t) => {
      t.equal(fleet.summary().running['app:1'], sound.length, 'not before');
      // The scenario has them dark for ever; the others go dark by hand.
      const [device] = sound;
      if (!device) throw new Error('there is no device');
      device.goDark();
      await device.disconnected();
      await until('the hub knows', async () => (await readyNodes('Unknown')).includes(device.name));
      await create(daemonSet('later', 'app:2'));
      t.notOk(device.containers.some(({ image }) => image === 'app:2'));
      device.comeBack();
      await device.runs('app:2');
      await until(
        'the hub sees it run',
        async () => (await podOn('later', device.name))?.status.phase === 'Running',
      );
    });

    await t.test('a crashing image is in CrashLoopBackOff', async () => {
      await create(daemonSet('crash', 'app:crash', { nodeSelector: { [SITE]: 'site-0' } }));
      const [device] = sound.filter(({ plan }) => plan.labels[SITE] === 'site-0');
      await until('it backs off', async () => {
        return waits(await podOn('crash', device?.name ?? ''))?.reason === 'CrashLoopBackOff';
      });
    });

    await t.test('an image that does not exist cannot be pulled', async () => {
      await create(daemonSet('gone', 'app:gone', { nodeSelector: { [SITE]: 'site-0' } }));
      const [device] = sound.filter(({ plan }) => plan.labels[SITE] === 'site-0');
      await until('it backs off', async () => {
        return waits(await podOn('gone', device?.name ?? ''))?.message.includes('manifest unknown');
      });
    });

    await t.test('probes: exec is answered by the scenario, what needs a network is refused', async (t) => {
      const probe = (handler: object) => ({
        readinessProbe: { ...handler, periodSeconds: 1, failureThreshold: 1 },
      });
      const onSite = { nodeSelector: { [SITE]: 'site-0' } };
      const [device] = sound.filter(({ plan }) => plan.labels[SITE] === 'site-0');
      const node = device?.name ?? '';
      await create(daemonSet('unready', 'app:unready', onSite, probe({ exec: { command: ['is-ready'] } })));
      await create(daemonSet('ready', 'app:1', onSite, probe({ exec: { command: ['is-ready'] } })));
      await create(daemonSet('http', 'app:1', onSite, probe({ httpGet: { port: 80 } })));
      const isReady = (pod: SeenPod | undefined) =>
        pod?.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
      await until('the ready one is', async () => isReady(await podOn('ready', node)));
      await until('the other runs', async () => (await podOn('unready', node))?.status.phase === 'Running');
      t.notOk(isReady(await podOn('unready', node)));
      await until('the reason is told', async () =>
        waits(await podOn('http', node))?.message.includes('simulated containers answer exec probes only'),
      );
    });

    await t.test('an agent that is restarted keeps its containers', async (t) => {
      const [device] = sound.slice(1);
      if (!device) throw new Error('there is no device');
      await device.runs('app:2');
      const before = device.containers.filter(
        ({ image }) => image.startsWith('app:') && image !== 'app:crash',
      );
      await device.reboot({ downMs: 5 });
      await device.connected();
      await until('the hub has it back', async () => (await readyNodes('True')).includes(device.name));
      const ids = new Set(device.containers.map(({ id }) => id));
      t.same(
        before.filter(({ id }) => !ids.has(id)),
        [],
      );
      t.equal((await podOn('app', device.name))?.status.containerStatuses?.[0]?.restartCount, 0);
    });

    await t.test('a device that lost its power starts its containers again', async () => {
      const [device] = sound.slice(1);
      if (!device) throw new Error('there is no device');
      await device.reboot({ containers: 'ended' });
      await device.runs('app:1');
      const restarts = async () =>
        (await podOn('app', device.name))?.status.containerStatuses?.[0]?.restartCount;
      await until('the hub knows', async () => (await restarts()) === 1);
    });

    t.same(failures, [], 'no agent ended by itself');
  });
}
