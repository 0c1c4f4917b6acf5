import { setTimeout as sleep } from 'node:timers/promises';
import type { PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { pino } from 'pino';
import t from 'tap';
import type { Lease } from '../../../agent/pod/lease.ts';
import type { ImageState } from '../../../agent/pod/observation.ts';
import type { Pod } from '../../../agent/pod/pod.ts';
import type { Images } from '../../../agent/reconcile/images.ts';
import { Updates } from '../../../agent/reconcile/updates.ts';
import type { ObservedContainer } from '../../../agent/runtime/runtime.ts';
import {
  encodePodUpdate,
  POD_UPDATE_ANNOTATION,
  type PodUpdate,
  type UpdateCheck,
} from '../../../proto/pod-update.ts';
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
    bootId: 'first',
    lease: undefined as Lease | undefined,
    image: {} as Partial<ImageState>,
    poked,
    stored,
    status: {} as PodStatus,
    /** How commands of checks end, and what was asked. */
    exitCode: 0,
    commands: [] as (readonly string[])[],
    onLoaded: () => undefined as unknown,
    onTurn: () => undefined as unknown,
    onExec: () => undefined as unknown,
    set: (...next: Pod[]) => {
      world.pods = new Map(next.map((pod) => [pod.metadata.uid, pod]));
    },
  };
  const present = { absent: false, present: true, pulling: false, triedAtMs: undefined, failure: undefined };
  const moment = () => ({
    bootId: world.bootId,
    uptimeMs: world.nowMs,
    wallMs: Date.parse('2026-01-01T00:00:00Z') + world.nowMs,
  });
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
      images: { get: () => ({ ...present, ...world.image }) } as unknown as Images,
      leases: { over: () => world.lease },
      moment,
      runtime: {
        exec: async (_, command) => {
          world.commands.push(command);
          world.onExec();
          return { exitCode: world.exitCode, output: world.exitCode === 0 ? '' : 'no such table\n' };
        },
      },
      probeTargetOf: ({ metadata, spec }, name) => {
        const [running] = world.containers.get(metadata.uid) ?? [];
        const container = spec.containers.find((each) => each.name === name);
        return running && container && { id: running.id, container, ip: '' };
      },
      containersOf: (uid) => world.containers.get(uid) ?? [],
      isBusy: ({ state }) => state === 'running',
      statusOf: () => world.status,
      firstSeenAtMs: () => 0,
      monotonicMs: () => world.nowMs,
      now: () => Date.parse('2026-01-01T00:00:00Z') + world.nowMs,
      log: pino({ level: 'silent' }),
      onTurn: (uid) => {
        poked.push(uid);
        world.onTurn();
      },
      onLoaded: () => {
        poked.push('all');
        world.onLoaded();
      },
    });
  return { world, open, moment, updates: open() };
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

t.test('a pod that is gone with all that it had lets go on who had made room for it', async (t) => {
  const [old, next] = [podOf('old'), podOf('next', 'old')];
  const { world, updates } = withPods(old, next);
  world.containers.set('old', runs(old));
  updates.turnOf('next');
  t.equal(updates.turnOf('old').turn, 'yield');
  world.set(old);
  world.poked.length = 0;
  updates.forget('next');
  t.same(world.poked, ['old']);
  t.equal(updates.turnOf('old').turn, 'run');
  updates.forget('next');
  t.same(world.poked, ['old']);
});

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

const READY: PodStatus = { conditions: [{ type: 'Ready', status: 'True' }] };

/** A candidate with a check, whose turn has come and whose container runs. */
async function tried(check: Partial<UpdateCheck>) {
  const whole = { exec: { command: ['check'] }, periodSeconds: 0.01, timeoutSeconds: 5, failureThreshold: 3 };
  const said = encodePodUpdate({ ...update, replaces: 'old', check: { ...whole, ...check } });
  const next = makePod({}, { uid: 'next', name: 'next', annotations: { [POD_UPDATE_ANNOTATION]: said } });
  const { world, updates } = withPods(podOf('old'), next);
  updates.turnOf('next');
  world.containers.set('next', runs(next));
  /** The next time that something of the check is other than before. */
  const changed = (on: 'onLoaded' | 'onTurn') =>
    new Promise<void>((resolve) => {
      world[on] = () => resolve();
    });
  const accepted = () => updates.conditionsOf(next)[1];
  return { world, updates, changed, accepted, next };
}

t.test('a check holds before the pod is taken, and from when it holds its time counts', async (t) => {
  const { world, updates, changed, accepted } = await tried({});
  updates.turnOf('next');
  t.same(world.commands, [], 'a pod that is not ready is not checked');
  world.status = READY;
  const loaded = changed('onLoaded');
  updates.turnOf('next');
  await loaded;
  world.nowMs = 50_000;
  const held = changed('onTurn');
  updates.turnOf('next');
  await held;
  t.match(updates.turnOf('next'), { wakeAtMs: 60_000 }, 'what it takes is ten seconds of both');
  t.match(accepted(), { status: 'Unknown' });
  world.nowMs = 60_000;
  updates.turnOf('next');
  t.match(accepted(), { status: 'True', reason: 'Healthy' });
  const { length } = world.commands;
  await sleep(100);
  t.equal(world.commands.length, length, 'what is decided is checked no more');
  updates.close();
});

t.test('a check that fails too often in a row rejects the pod, and says why', async (t) => {
  const { world, updates, changed, accepted } = await tried({});
  Object.assign(world, { status: READY, exitCode: 2 });
  const loaded = changed('onLoaded');
  updates.turnOf('next');
  await loaded;
  const failed = changed('onTurn');
  updates.turnOf('next');
  await failed;
  t.equal(world.commands.length, 3);
  t.equal(updates.turnOf('next').turn, 'yield');
  t.match(accepted(), {
    status: 'False',
    reason: 'CheckFailed',
    message: 'its check failed 3 times in a row: the command ended with exit code 2: no such table',
  });
  t.match(JSON.parse(world.stored.get('next') ?? ''), { phase: 'rejected', reason: 'CheckFailed' });
});

t.test('a check of a container that is not there rejects the pod', async (t) => {
  const { updates, accepted } = await tried({ container: 'other' });
  updates.turnOf('next');
  t.match(accepted(), { status: 'False', message: 'it has no container other, which its check is for' });
});

t.test('what the hub says wrongly of a check is no update', async (t) => {
  for (const check of [{}, { exec: {} }, { exec: { command: ['a'] }, periodSeconds: 0 }]) {
    const { updates, accepted } = await tried({ exec: undefined, ...check } as object);
    updates.turnOf('next');
    t.equal(accepted(), undefined);
  }
});

const CONSENT = { consent: { maxDeferSeconds: 3_600 } };

/** An old pod, and one that is to take its place where programs on the device may put that off. */
function withConsent(more: Partial<PodUpdate> = {}) {
  const said = encodePodUpdate({ ...update, ...CONSENT, replaces: 'old', ...more });
  const next = makePod({}, { uid: 'next', name: 'next', annotations: { [POD_UPDATE_ANNOTATION]: said } });
  const old = makePod({}, { uid: 'old', name: 'old' });
  const all = withPods(old, next);
  all.world.containers.set('old', runs(old));
  const hold = (seconds: number, name = 'printing') => {
    all.world.lease = { name, seconds, reason: 'a page', at: all.moment() };
  };
  return { ...all, old, next, hold, stored: () => JSON.parse(all.world.stored.get('next') ?? '{}') };
}

t.test('who is put off by a lease says so, and goes on when it is over', async (t) => {
  const { world, updates, hold, next, stored } = withConsent();
  hold(600);
  t.match(updates.turnOf('old'), { turn: 'run', wakeAtMs: 600_000 });
  t.match(updates.conditionsOf(next)[1], {
    status: 'Unknown',
    reason: 'WaitingForConsent',
    message: 'lease printing puts it off until 2026-01-01T00:10:00Z: a page',
  });
  t.match(stored(), { phase: 'waiting', deferral: { spentMs: 0 } }, 'that it was put off is remembered');
  world.nowMs = 500_000;
  t.match(updates.turnOf('old'), { turn: 'run', wakeAtMs: 600_000 });
  world.nowMs = 600_000;
  t.equal(updates.turnOf('old').turn, 'yield');
  t.match(stored(), { phase: 'trying', starts: 1, isSwitching: true });
  hold(600);
  t.equal(updates.turnOf('old').turn, 'yield', 'who comes too late puts nothing off');
});

t.test('a lease that changes is told to those who may be put off, and to nobody else', async (t) => {
  const { world, updates } = withConsent();
  updates.leasesChanged();
  t.same(world.poked, ['next']);
  const other = withConsent({ consent: undefined } as object);
  other.hold(600);
  other.updates.leasesChanged();
  t.same(other.world.poked, []);
  t.equal(other.updates.turnOf('old').turn, 'yield', 'a policy that does not ask honours no lease');
});

t.test(
  'nothing puts an update off for ever: leases in a row, agents and devices that start anew',
  async (t) => {
    const { world, updates, open, hold } = withConsent();
    hold(3_000);
    updates.turnOf('old');
    world.nowMs = 1_000_000;
    hold(3_000, 'another');
    t.match(updates.turnOf('old'), { turn: 'run', wakeAtMs: 3_600_000 }, 'an hour in all');
    t.match(
      updates.conditionsOf(withConsent().next)[1]?.message,
      /until 2026-01-01T01:00:00Z, when it may be put off no more/,
    );
    world.nowMs = 2_000_000;
    const second = open();
    t.match(second.turnOf('old'), { turn: 'run', wakeAtMs: 3_600_000 }, 'another agent');
    Object.assign(world, { bootId: 'second', nowMs: 500_000 });
    hold(3_000);
    t.match(
      open().turnOf('old'),
      { turn: 'run', wakeAtMs: 2_600_000 + 0 },
      'a clock that went back: what is sure counts',
    );
    world.nowMs = 2_600_000;
    t.equal(open().turnOf('old').turn, 'yield');
  },
);

t.test('a record that could not be stored puts nothing off less', async (t) => {
  const { world, updates, hold } = withConsent();
  world.isFull = true;
  hold(600);
  t.match(updates.turnOf('old'), { turn: 'run' });
  t.match(updates.turnOf('next'), { turn: 'yield', wakeAtMs: 10_000 });
  world.isFull = false;
  updates.turnOf('next');
  Object.assign(world, { isFull: true, nowMs: 600_000 });
  t.match(updates.turnOf('old'), { turn: 'run', wakeAtMs: 610_000 }, 'nor is it over before that is stored');
  world.isFull = false;
  t.equal(updates.turnOf('old').turn, 'yield');
});

t.test('that it waited begins no trial, in whatever agent it goes on', async (t) => {
  const { world, updates, open, hold, stored } = withConsent();
  hold(600);
  updates.turnOf('next');
  const second = open();
  second.turnOf('next');
  world.nowMs = 600_000;
  second.turnOf('next');
  second.turnOf('next');
  t.match(stored(), { phase: 'trying', starts: 1 });
});

t.test('a lease that is taken while the new one downloads puts it off as well', async (t) => {
  const { world, updates, hold, stored } = withConsent();
  world.image = { present: false };
  t.same([updates.turnOf('next').turn, updates.turnOf('old').turn], ['hold', 'run']);
  t.match(stored(), { phase: 'trying' });
  hold(600);
  t.same([updates.turnOf('next').turn, updates.turnOf('old').turn], ['hold', 'run']);
  world.image = { present: true };
  t.same([updates.turnOf('next').turn, updates.turnOf('old').turn], ['hold', 'run']);
  t.match(stored(), { phase: 'waiting', reason: 'WaitingForConsent' });
});

t.test('staged: which digests; not staged: why', async (t) => {
  const { world, updates, next } = withConsent();
  const staged = () => updates.conditionsOf(next)[0];
  world.image = { digest: 'sha256:abc' };
  t.match(staged(), { status: 'True', reason: 'Downloaded', message: 'web:1 is sha256:abc' });
  const failure = { count: 1, atMs: 0, message: 'the disk has 1 B free' };
  world.image = { present: false, absent: true, failure: { ...failure, reason: 'InsufficientDisk' } };
  t.match(staged(), { status: 'False', reason: 'InsufficientDisk', message: failure.message });
  world.image = { present: false, absent: true, failure: { ...failure, reason: 'ErrImagePull' } };
  t.match(staged(), { status: 'False', reason: 'Downloading', message: failure.message });
});
