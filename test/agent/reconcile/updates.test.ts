import { pino } from 'pino';
import t from 'tap';
import type { Pod } from '../../../agent/pod/pod.ts';
import type { Images } from '../../../agent/reconcile/images.ts';
import { Updates } from '../../../agent/reconcile/updates.ts';
import type { ObservedContainer } from '../../../agent/runtime/runtime.ts';
import { encodePodUpdate, POD_UPDATE_ANNOTATION, type PodUpdate } from '../../../proto/pod-update.ts';
import { makePod, observed } from '../builders.ts';

const update: PodUpdate = {
  step: 'apply',
  order: 'download-then-stop',
  minHealthySeconds: 10,
  maxRestarts: 0,
  deadlineSeconds: 60,
  rollback: true,
};

function podOf(uid: string, replaces?: string, metadata: Partial<Pod['metadata']> = {}): Pod {
  const said = encodePodUpdate({ ...update, ...(replaces && { replaces }) });
  return makePod({}, { uid, name: uid, annotations: { [POD_UPDATE_ANNOTATION]: said }, ...metadata });
}

/** Updates over pods and containers that a test sets. */
function withPods(...pods: Pod[]) {
  const stored = new Map<string, string>();
  const poked: string[] = [];
  const world = {
    pods: new Map(pods.map((pod) => [pod.metadata.uid, pod])),
    containers: new Map<string, ObservedContainer[]>(),
    isFull: false,
    nowMs: 0,
    poked,
    stored,
    set: (...next: Pod[]) => {
      world.pods = new Map(next.map((pod) => [pod.metadata.uid, pod]));
    },
  };
  const present = { absent: false, present: true, pulling: false, triedAtMs: undefined, failure: undefined };
  const open = () =>
    new Updates({
      desired: {
        get pods() {
          return world.pods;
        },
      },
      state: {
        podUpdates: () => stored,
        savePodUpdate: (uid, record) => {
          if (world.isFull) throw new Error('database or disk is full');
          stored.set(uid, record);
        },
        forgetPodUpdate: (uid) => void stored.delete(uid),
      },
      images: { get: () => present } as unknown as Images,
      containersOf: (uid) => world.containers.get(uid) ?? [],
      isBusy: ({ state }) => state === 'running',
      statusOf: () => ({}),
      firstSeenAtMs: () => 0,
      monotonicMs: () => world.nowMs,
      now: () => Date.parse('2026-01-01T00:00:00Z') + world.nowMs,
      log: pino({ level: 'silent' }),
      onTurn: (uid) => void poked.push(uid),
      onLoaded: () => void poked.push('all'),
    });
  return { world, open, updates: open() };
}

const runs = (pod: Pod) => [observed(pod, { podUid: pod.metadata.uid })];

t.test('the old one is told when its turn is over, and the new one when the place is free', async (t) => {
  const [old, next] = [podOf('old'), podOf('next', 'old')];
  const { world, updates } = withPods(old, next);
  world.stored.clear();
  world.containers.set('old', runs(old));
  t.equal(updates.turnOf('next').turn, 'yield');
  t.ok(world.poked.includes('old'));
  t.equal(updates.turnOf('old').turn, 'yield');
  world.containers.delete('old');
  world.poked.length = 0;
  t.equal(updates.turnOf('old').turn, 'yield');
  t.ok(world.poked.includes('next'), 'by what was seen of the old one');
  t.equal(updates.turnOf('next').turn, 'run');
  world.poked.length = 0;
  updates.turnOf('next');
  updates.turnOf('old');
  t.same(world.poked, [], 'and then nobody is told anything for ever');
});

t.test(
  'a pod that itself took a place, and one that is taken back, do not hide who comes next',
  async (t) => {
    const old = podOf('old', 'before');
    const gone = podOf('gone', 'old', { deletionTimestamp: '2026-01-01T00:00:00Z' });
    for (const pods of [
      [old, gone, podOf('next', 'old')],
      [old, podOf('next', 'old'), gone],
    ]) {
      const { world, updates } = withPods(...pods);
      world.containers.set('old', runs(old));
      t.equal(updates.turnOf('old').turn, 'yield');
      updates.turnOf('next');
      world.poked.length = 0;
      for (let look = 0; look < 3; look += 1) for (const uid of world.pods.keys()) updates.turnOf(uid);
      t.same(world.poked, []);
    }
  },
);

t.test('a decision that cannot be stored is not acted on', async (t) => {
  const { world, updates } = withPods(makePod({}, { uid: 'old', name: 'old' }), podOf('next', 'old'));
  world.isFull = true;
  t.match(updates.turnOf('old'), { turn: 'run' });
  t.match(updates.turnOf('next'), { turn: 'yield', wakeAtMs: 10_000 });
  world.isFull = false;
  t.equal(updates.turnOf('old').turn, 'yield');
});

t.test('what was decided outlives the agent; how often it began is counted', async (t) => {
  const next = podOf('next', 'old');
  const { world, updates, open } = withPods(podOf('old'), next);
  updates.turnOf('next');
  t.match(JSON.parse(world.stored.get('next') ?? ''), { phase: 'trying', starts: 1 });
  for (let starts = 2; starts <= 5; starts += 1) open().turnOf('next');
  t.match(JSON.parse(world.stored.get('next') ?? ''), { phase: 'rejected', reason: 'DeviceRestarts' });
  const later = open();
  t.same([later.turnOf('next').turn, later.turnOf('old').turn], ['yield', 'run']);
  t.match(later.conditionsOf(next)[1], { status: 'False', reason: 'DeviceRestarts' });
  later.forget('next');
  t.equal(world.stored.has('next'), false);
});
