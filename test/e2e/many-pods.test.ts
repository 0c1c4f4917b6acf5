import { readdirSync } from 'node:fs';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { Engine } from '../support/engine.ts';
import { makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const MOST = 110; // Kubernetes' default, and what the Node says
/** What takes long is looked at now and then only: to list so many costs the hub and the engine. */
const SLOWLY = [180_000, 500] as const;

t.test('200 pods at once on one device', async (t) => {
  const stand = new Stand(engine, 'mqtt', 'device-many');
  const pods = new SeenPods(stand);
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  await stand.apply(podOf('before', { main: {} }));
  await pods.ready('before');
  const before = await pods.container('before');
  const descriptors = () => readdirSync(`/proc/${stand.agent.pid}/fd`).length;
  const descriptorsBefore = descriptors();
  const all = async (label: string) =>
    (
      (await stand.api.call('GET', `/api/v1/namespaces/default/pods?labelSelector=${label}`)) as {
        items: Pod[];
      }
    ).items;
  const labelled = (set: string, index: number, spec: object = {}) => {
    const pod = podOf(`${set}-${index}`, { main: {} }, { terminationGracePeriodSeconds: 0, ...spec });
    return { ...pod, metadata: { ...pod.metadata, labels: { set } } };
  };
  const manyOf = (set: string, count: number, spec: object = {}) =>
    listOf(...Array.from({ length: count }, (_, index) => labelled(set, index, spec)));
  const running = (found: readonly Pod[]) =>
    found.filter(({ status }) => status?.containerStatuses?.[0]?.ready);

  await stand.apply(manyOf('many', 200));
  await until(
    'as many run as the node takes',
    async () => running(await all('set=many')).length === MOST - 1,
    ...SLOWLY,
  );
  const waiting = (await all('set=many')).filter(({ spec }) => !spec?.nodeName);
  t.equal(waiting.length, 200 - (MOST - 1));
  for (const { status } of waiting)
    t.match(status, {
      phase: 'Pending',
      conditions: [
        { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: /1 Too many pods/ },
      ],
    });
  const name = waiting[0]?.metadata?.name;
  t.match(
    await stand.kubectl('describe', 'pod', `${name}`),
    /FailedScheduling .*0\/1 nodes are available: 1 Too many pods\./,
  );

  // Who is bound by name was weighed by nobody: the device says no.
  await stand.apply(manyOf('named', 3, { nodeName: stand.node }));
  await until('they are refused', async () =>
    (await all('set=named')).every(({ status }) => status?.phase === 'Failed'),
  );
  for (const { status } of await all('set=named'))
    t.match(status, {
      reason: 'OutOfpods',
      message: "Node didn't have enough resource: pods, requested: 1, used: 110, capacity: 110",
    });
  t.match(await stand.kubectl('get', 'events'), /Warning +OutOfpods +pod\/named-0 /);

  await stand.kubectl('delete', 'pod', '-l', 'set in (many, named)', '--wait=false');
  const ours = JSON.stringify({ label: [`holdfast.dev/node=${stand.node}`] });
  const left = () => engine.docker.listContainers({ all: true, filters: ours });
  await until('nothing is left but what was there', async () => (await left()).length === 2, ...SLOWLY);
  t.same(new Set((await left()).map(({ Labels }) => Labels['holdfast.dev/pod.name'])), new Set(['before']));
  t.same(await pods.container('before'), before, 'who was there has noticed nothing');
  t.equal((await engine.docker.listNetworks({ filters: ours })).length, 1);
  await until('the agent holds no files', () => descriptors() <= descriptorsBefore);
  t.equal(readdirSync(`${stand.agentDir}/pods`).length, 1, 'nor any directory of theirs');
});
