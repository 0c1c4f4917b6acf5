import t from 'tap';
import { PodWorkers } from '../../../agent/reconcile/pod-workers.ts';
import { Limit } from '../../../proto/limit.ts';

const forever = Number.POSITIVE_INFINITY;
const monotonicMs = () => performance.now();

t.test('passes of a pod never overlap, and a poke during one causes exactly one more', async (t) => {
  let running = 0;
  let passes = 0;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  const workers = new PodWorkers({
    pass: async (uid) => {
      passes += 1;
      running += 1;
      t.equal(running, 1);
      if (passes === 1) for (let i = 0; i < 5; i += 1) workers.poke(uid);
      await new Promise((next) => setImmediate(next));
      running -= 1;
      if (passes === 2) resolve();
      return forever;
    },
    monotonicMs,
    onBug: (_, error) => t.fail(String(error)),
  });
  workers.poke('a');
  await done;
  await workers.close();
  t.equal(passes, 2);
});

t.test('a pod that is slow does not hold up another', async (t) => {
  const { promise: slow, resolve: release } = Promise.withResolvers<number>();
  const { promise: quick, resolve: passed } = Promise.withResolvers<void>();
  const workers = new PodWorkers({
    pass: (uid) => {
      if (uid === 'slow') return slow;
      passed();
      return Promise.resolve(forever);
    },
    monotonicMs,
    onBug: (_, error) => t.fail(String(error)),
  });
  workers.poke('slow');
  workers.poke('quick');
  await quick;
  release(forever);
  await workers.close();
});

t.test('a pass says when to look again, and a bug in one is told and ends nothing', async (t) => {
  const bugs: unknown[] = [];
  let passes = 0;
  const { promise: third, resolve } = Promise.withResolvers<void>();
  const workers = new PodWorkers({
    pass: async (uid) => {
      passes += 1;
      if (passes === 1) return monotonicMs() + 5;
      if (passes === 3) resolve();
      if (passes !== 2) return forever;
      queueMicrotask(() => workers.poke(uid));
      throw new Error('a bug');
    },
    monotonicMs,
    onBug: (_, error) => bugs.push(error),
  });
  workers.poke('a');
  await third;
  await workers.close();
  t.match(bugs, [{ message: 'a bug' }]);
});

t.test('a limit runs so many at once, in order, and goes on after a failure', async (t) => {
  const limit = new Limit(2);
  const order: number[] = [];
  let running = 0;
  const results = await Promise.allSettled(
    [0, 1, 2, 3, 4].map((number) =>
      limit.run(async () => {
        order.push(number);
        running += 1;
        t.ok(running <= 2);
        await new Promise((next) => setImmediate(next));
        running -= 1;
        if (number === 1) throw new Error('no');
        return number;
      }),
    ),
  );
  t.same(order, [0, 1, 2, 3, 4]);
  t.same(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled'],
  );
});
