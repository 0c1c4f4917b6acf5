import t from 'tap';
import type { Pressure } from '../../../agent/eviction/thresholds.ts';
import type { Pod } from '../../../agent/pod/pod.ts';
import { Admission } from '../../../agent/reconcile/admission.ts';
import { allocateDevices } from '../../../agent/resources/device-allocation.ts';
import { formatDevices } from '../../../agent/resources/pod-devices.ts';
import type { ObservedContainer } from '../../../agent/runtime/runtime.ts';
import { container, makePod, observed } from '../builders.ts';

const R = 'a.b/cam';
const podOf = (uid: string, count = 1) =>
  makePod(
    { containers: [container('main', { resources: { limits: { [R]: `${count}` } } })] },
    { uid, name: uid },
  );

/** A device with some units, on which pods run that a test names. */
function device(...ids: string[]) {
  const world = {
    containers: [] as ObservedContainer[],
    live: new Set<string>(),
    pressures: new Set<Pressure>(),
    allocatable: {} as Record<string, string>,
    pods: [] as Pod[],
    hasLooked: true,
    start: () =>
      new Admission({
        resources: new Set([R]),
        stock: () => (world.hasLooked ? stock : undefined),
        pressures: () => world.pressures,
        allocatable: () => world.allocatable,
        pods: () => world.pods,
        containers: () => world.containers,
        isLive: (uid) => world.live.has(uid),
      }),
    /** One of its containers is there, made by whoever admitted it. */
    runs: (pod: Pod, admission: Admission, rest: Partial<ObservedContainer> = {}) => {
      const { uid } = pod.metadata;
      const { podDevices } = admission.grantsOf(uid, 'main');
      world.containers.push(observed(pod, { podUid: uid, podDevices, ...rest }));
    },
  };
  const units = new Map([[R, ids.map((id) => ({ id, isThere: true, nodes: [id] }))]]);
  const stock = {
    allocate: (pod: Pod, taken: ReadonlySet<string>) => allocateDevices(pod, units, taken),
    grantsOf: (_: string, all: readonly string[]) =>
      all.map((id) => ({ type: 'node' as const, path: id, target: id })),
  };
  return world;
}

const pathsOf = (admission: Admission, uid: string) =>
  admission.grantsOf(uid, 'main').devices.map((each) => (each.type === 'node' ? each.path : ''));

t.test('each pod has its own; who comes too late is told as by the kubelet', async (t) => {
  const world = device('v0', 'v1');
  const admission = world.start();
  for (const uid of ['a', 'b']) {
    world.live.add(uid);
    t.equal(admission.admit(podOf(uid)), undefined);
  }
  t.same([pathsOf(admission, 'a'), pathsOf(admission, 'b')], [['v0'], ['v1']]);
  t.equal(admission.admit(podOf('a')), undefined, 'asked again');
  t.same(pathsOf(admission, 'a'), ['v0']);
  world.live.add('c');
  t.match(admission.admit(podOf('c')), {
    reason: 'UnexpectedAdmissionError',
    message: /unavailable for a.b\/cam. Requested: 1, Available: 0/,
  });
  t.equal(admission.admit(makePod({}, { uid: 'd' })), undefined, 'who asks for none');
  t.same(admission.grantsOf('d', 'main'), { podDevices: '', devices: [] });
});

t.test('an agent that starts anew knows from the labels', async (t) => {
  const world = device('v0', 'v1');
  const first = world.start();
  const [a, b] = [podOf('a'), podOf('b')];
  for (const pod of [a, b]) {
    world.live.add(pod.metadata.uid);
    first.admit(pod);
    world.runs(pod, first);
  }
  const second = world.start();
  t.equal(second.admit(b), undefined);
  t.equal(second.admit(a), undefined);
  t.same([pathsOf(second, 'a'), pathsOf(second, 'b')], [['v0'], ['v1']]);
  const third = world.start();
  world.live.add('c');
  t.match(
    third.admit(podOf('c')),
    { reason: 'UnexpectedAdmissionError' },
    'also before they were asked about',
  );
});

t.test('who waits for one that ends, and who has come back', async (t) => {
  const world = device('v0');
  const admission = world.start();
  const [a, b] = [podOf('a'), podOf('b')];
  world.live.add('a');
  admission.admit(a);
  world.runs(a, admission);
  world.live.delete('a');
  world.live.add('b');
  t.equal(admission.admit(b), undefined);
  t.match(admission.waitsFor('b'), /a pod that ends/);
  t.same([...admission.waiting], ['b']);
  world.containers = [
    observed(a, { podUid: 'a', state: 'exited', podDevices: formatDevices({ main: { [R]: ['v0'] } }) }),
  ];
  t.equal(admission.admit(b), undefined);
  t.equal(admission.waitsFor('b'), undefined);
  t.same(pathsOf(admission, 'b'), ['v0']);
  world.live.add('a');
  t.match(admission.admit(a), { reason: 'UnexpectedAdmissionError' }, 'what it had is given away');
});

t.test('nothing is decided before somebody has looked', async (t) => {
  const world = device('v0');
  world.hasLooked = false;
  const admission = world.start();
  world.live.add('a');
  t.equal(admission.admit(podOf('a')), undefined);
  t.match(admission.waitsFor('a'), /have not been looked at/);
  world.hasLooked = true;
  t.equal(admission.admit(podOf('a')), undefined);
  t.equal(admission.waitsFor('a'), undefined);
});

t.test('a device that lacks something takes no new pods, and keeps those that it has', async (t) => {
  const world = device();
  const admission = world.start();
  const [a, b] = [makePod({}, { uid: 'a' }), makePod({}, { uid: 'b' })];
  admission.admit(a);
  world.pressures.add('DiskPressure');
  t.equal(admission.admit(a), undefined);
  t.same(admission.admit(b), { reason: 'Evicted', message: 'The node had condition: [DiskPressure].' });
  world.containers = [observed(b, { podUid: 'b' })];
  t.equal(world.start().admit(b), undefined, 'one that ran before this agent');
});

t.test('who does not fit beside the others is told as by the kubelet', async (t) => {
  const world = device();
  world.allocatable = { pods: '2', cpu: '4' };
  const [a, b, c] = ['a', 'b', 'c'].map((uid) => makePod({}, { uid })) as [Pod, Pod, Pod];
  world.pods = [a, b, c];
  for (const { metadata } of world.pods) world.live.add(metadata.uid);
  const admission = world.start();
  t.equal(admission.admit(a), undefined);
  t.equal(admission.admit(b), undefined);
  t.equal(admission.admit(b), undefined, 'asked again');
  t.same(admission.admit(c), {
    reason: 'OutOfpods',
    message: "Node didn't have enough resource: pods, requested: 1, used: 2, capacity: 2",
  });
  t.equal(admission.admit(makePod({ priority: 2_000_000_000 }, { uid: 'd' })), undefined, 'one that must be');

  world.containers = [observed(b, { podUid: 'b' })];
  world.live.delete('b');
  t.equal(admission.admit(c), undefined);
  t.match(admission.waitsFor('c'), /a pod that ends still has the room/);
  world.containers = [observed(b, { podUid: 'b', state: 'exited' })];
  t.equal(admission.admit(c), undefined);
  t.equal(admission.waitsFor('c'), undefined);

  world.containers = ['a', 'c', 'd'].map((uid) => observed(a, { podUid: uid }));
  const second = world.start();
  for (const pod of [a, c])
    t.equal(second.admit(pod), undefined, 'those that run stay, whatever there is room for');
});
