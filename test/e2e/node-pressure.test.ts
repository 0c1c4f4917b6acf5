import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container, Node, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { Engine } from '../support/engine.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { mayMount, SmallDisk } from '../support/small-disk.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* A device that runs out of something ends the right pod, tells of it, and is left alone meanwhile. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const DISK_KIB = 96 * 1024;

const priorityClass = (name: string, value: number) => ({
  apiVersion: 'scheduling.k8s.io/v1',
  kind: 'PriorityClass',
  metadata: { name },
  value,
});

/** Writes so much into an emptyDir, unless somebody did that before. */
function writing(mi: number, marker: string): [Record<string, Partial<Container>>, Partial<PodSpec>] {
  const script = `[ -e /host/${marker} ] || { touch /host/${marker}; dd if=/dev/zero of=/work/big bs=1M count=${mi}; }; ${WORK}`;
  const mounts = [
    { name: 'work', mountPath: '/work' },
    { name: 'host', mountPath: '/host' },
  ];
  return [{ main: { command: shell(script), volumeMounts: mounts } }, {}];
}

class Device {
  readonly stand: Stand;
  readonly pods: SeenPods;
  readonly #file: string;

  constructor(name: string) {
    this.stand = new Stand(engine, 'mqtt', name);
    this.pods = new SeenPods(this.stand);
    this.#file = join(this.stand.dir, 'agent.yaml');
  }

  async start(evictionHard: object): Promise<void> {
    this.#write(evictionHard);
    await this.stand.start('--config', this.#file);
  }

  setThresholds(evictionHard: object): void {
    this.#write(evictionHard);
    process.kill(this.stand.agent.pid, 'SIGHUP');
  }

  restart(): Promise<void> {
    return this.stand.startAgent('--config', this.#file);
  }

  async node(): Promise<Node> {
    return (await this.stand.api.call('GET', `/api/v1/nodes/${this.stand.node}`)) as Node;
  }

  /** Its condition, and the taint that the hub makes of it. */
  async tells(type: string, taint: string, isThere: boolean): Promise<void> {
    await until(`${type} is ${isThere}`, async () => {
      const { status, spec } = await this.node();
      const condition = status?.conditions?.find((each) => each.type === type);
      const isTainted = spec?.taints?.some(({ key }) => key === taint) ?? false;
      return condition?.status === (isThere ? 'True' : 'False') && isTainted === isThere;
    });
  }

  async messageOf(name: string, reason: string): Promise<string> {
    const { items } = (await this.stand.api.call('GET', '/api/v1/namespaces/default/events')) as {
      items: { reason: string; message: string; involvedObject: { name: string } }[];
    };
    return items.find((each) => each.involvedObject.name === name && each.reason === reason)?.message ?? '';
  }

  #write(evictionHard: object): void {
    writeFileSync(this.#file, JSON.stringify({ evictionHard, evictionPressureTransitionPeriod: '4s' }));
  }
}

t.test('a disk that fills up', { skip: !mayMount && 'only root may mount', timeout: 300_000 }, async (t) => {
  await makeAppImages(engine, [1]);
  const device = new Device('full-disk');
  const { stand, pods } = device;
  mkdirSync(stand.agentDir);
  new SmallDisk(DISK_KIB, stand.agentDir); // the stand unmounts what is in its directory
  t.teardown(() => stand.close());
  const markers = join(stand.dir, 'markers');
  mkdirSync(markers);
  const volumes = [
    { name: 'work', emptyDir: {} },
    { name: 'host', hostPath: { path: markers } },
  ];
  const pod = (name: string, mi: number, spec: Partial<PodSpec> = {}) => {
    const [containers] = writing(mi, name);
    return podOf(name, containers, { volumes, ...spec });
  };
  const MI = 2 ** 20;
  await device.start({ 'nodefs.available': `${30 * MI}` });
  await stand.apply(priorityClass('important', 1000));
  await device.tells('DiskPressure', 'node.kubernetes.io/disk-pressure', false);

  const { spec: template } = pod('greedy', 50);
  const greedy = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'greedy', namespace: 'default' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'greedy' } },
      template: { metadata: { labels: { app: 'greedy' } }, spec: template },
    },
  };
  await stand.apply(
    listOf(pod('important', 25, { priorityClassName: 'important' }), pod('small', 3), pod('idle', 0)),
  );
  await Promise.all(['important', 'small', 'idle'].map((name) => pods.ready(name)));
  await stand.apply(greedy);
  const evicted = await until('one is evicted', async () => {
    const { items } = (await stand.api.call('GET', '/api/v1/namespaces/default/pods')) as {
      items: Awaited<ReturnType<typeof pods.get>>[];
    };
    return items.find(({ status }) => status?.reason === 'Evicted');
  });
  const name = evicted.metadata?.name ?? '';
  t.match(name, /^greedy-/, 'who holds most, of those that are not important');
  t.match(evicted.status, {
    phase: 'Failed',
    message:
      /^The node was low on resource: ephemeral-storage\. Threshold quantity: 30720Ki, available: \d+Ki\./,
  });
  const conditions = new Map(evicted.status?.conditions?.map((each) => [each.type, each]));
  t.match(conditions.get('DisruptionTarget'), { status: 'True', reason: 'TerminationByKubelet' });
  t.match(conditions.get('Ready'), { status: 'False', reason: 'PodFailed' });
  await device.tells('DiskPressure', 'node.kubernetes.io/disk-pressure', true);
  t.match(await device.messageOf(stand.node, 'EvictionThresholdMet'), /reclaim ephemeral-storage/);
  t.match(await device.messageOf(name, 'Evicted'), /low on resource/);
  await until('its containers are gone, and what it wrote', async () => {
    const found = await engine.containers(stand.node, { all: true });
    return !found.some((each) => each.pod === name);
  });

  await device.tells('DiskPressure', 'node.kubernetes.io/disk-pressure', false);
  await until('the Deployment has another one, which runs', async () => {
    const { status } = (await stand.api.call(
      'GET',
      '/apis/apps/v1/namespaces/default/deployments/greedy',
    )) as {
      status?: { readyReplicas?: number };
    };
    return status?.readyReplicas === 1;
  });
  for (const each of ['important', 'small', 'idle'])
    t.match(
      (await pods.get(each)).status,
      { phase: 'Running', containerStatuses: [{ restartCount: 0 }] },
      each,
    );

  await stand.agent.end('SIGKILL');
  await device.restart();
  await stand.agent.line(/connected to the hub/);
  await pods.ready('important');
  t.match((await pods.get(name)).status, { phase: 'Failed', reason: 'Evicted' }, 'it stays ended');
  t.notOk((await engine.containers(stand.node, { all: true })).some((each) => each.pod === name));

  const limited = podOf(
    'limited',
    {
      main: {
        command: shell(`dd if=/dev/zero of=/work/big bs=1M count=4; ${WORK}`),
        volumeMounts: [{ name: 'work', mountPath: '/work' }],
      },
    },
    { volumes: [{ name: 'work', emptyDir: { sizeLimit: '2Mi' } }] },
  );
  const logging = podOf('logging', {
    main: {
      command: shell(`dd if=/dev/zero of=/tmp/big bs=1M count=4; ${WORK}`),
      resources: { limits: { 'ephemeral-storage': '2Mi' } },
    },
  });
  await stand.apply(listOf(limited, logging));
  t.match((await pods.phase('limited', 'Failed')).status, {
    reason: 'Evicted',
    message: 'Usage of EmptyDir volume "work" exceeds the limit "2Mi".',
  });
  t.match((await pods.phase('logging', 'Failed')).status, {
    reason: 'Evicted',
    message: /^Pod ephemeral local storage usage exceeds the total limit of containers 2048Ki.$/,
  });
});

t.test('memory that runs out while nobody can be asked', { timeout: 300_000 }, async (t) => {
  await makeAppImages(engine, [1]);
  const device = new Device('no-memory');
  const { stand, pods } = device;
  t.teardown(() => stand.close());
  const enough = { 'memory.available': '1Ki' };
  await device.start(enough);
  await stand.apply(listOf(priorityClass('above', 100), priorityClass('below', -100)));
  const resources = (request: string) => ({
    resources: { requests: { memory: request }, limits: { memory: '256Mi' } },
  });
  await stand.apply(
    listOf(
      podOf('vital', { main: {} }, { priorityClassName: 'system-node-critical' }),
      podOf('modest', { main: resources('128Mi') }, { priorityClassName: 'below' }),
      podOf('high', { main: {} }, { priorityClassName: 'above' }),
      podOf('low', { main: {} }, { priorityClassName: 'below' }),
      podOf('plain', { main: {} }),
    ),
  );
  const order = ['low', 'plain', 'high', 'modest'];
  await Promise.all(['vital', ...order].map((name) => pods.ready(name)));
  t.match((await pods.get('modest')).status, { qosClass: 'Burstable' });

  await stand.cutLink();
  device.setThresholds({ 'memory.available': '99%' });
  const running = async () => {
    const found = await engine.containers(stand.node);
    return found.filter(({ running: is }) => is).map(({ pod }) => pod);
  };
  await until('only what the system needs still runs', async () => (await running()).join() === 'vital');

  await stand.agent.end('SIGKILL');
  await device.restart();
  await stand.restoreLink();
  await device.tells('MemoryPressure', 'node.kubernetes.io/memory-pressure', true);
  const ended = await Promise.all(order.map((name) => pods.phase(name, 'Failed')));
  for (const { metadata, status } of ended)
    t.match(
      status,
      { reason: 'Evicted', message: /^The node was low on resource: memory\. Threshold/ },
      metadata?.name ?? '',
    );
  const at = ended.map(({ status }) => status?.containerStatuses?.[0]?.state?.terminated?.finishedAt ?? '');
  t.same(at, [...at].sort(), 'who takes more than it asked for first, of them the less important');
  t.equal(new Set(at).size, order.length, 'one after the other');
  t.same(await running(), ['vital']);

  await stand.apply(
    listOf(podOf('best-effort', { main: {} }), podOf('burstable', { main: resources('1Mi') })),
  );
  await until('who asks for no memory stays away', async () =>
    (await pods.get('best-effort')).status?.conditions?.some(({ message }) =>
      message?.includes('memory-pressure'),
    ),
  );
  await until(
    'who asks for some does not',
    async () => (await pods.get('burstable')).spec?.nodeName === stand.node,
  );
  device.setThresholds(enough);
  await device.tells('MemoryPressure', 'node.kubernetes.io/memory-pressure', false);
  await pods.ready('best-effort');
  for (const name of order) t.match((await pods.get(name)).status, { phase: 'Failed' }, 'ended for good');
});
