import t from 'tap';
import { type Failure, WorkQueue, type WorkQueueOptions } from '../../../hub/sync/work-queue.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function newQueue(
  sync: WorkQueueOptions['sync'],
  options: Partial<WorkQueueOptions> = {},
): { queue: WorkQueue; failures: Failure[] } {
  const failures: Failure[] = [];
  return {
    queue: new WorkQueue({ sync, onError: (failure) => failures.push(failure), minDelayMs: 1, ...options }),
    failures,
  };
}

t.test('a key added many times in a turn is synced once, before the turn ends', async (t) => {
  const synced: string[] = [];
  const { queue } = newQueue(async (key) => {
    synced.push(key);
    return undefined;
  });
  for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
  await Promise.resolve();
  await Promise.resolve();
  t.same(synced, ['a', 'b'], 'within microtasks');
  await queue.stop();
});

t.test('a key added while it is synced is synced again, never twice at a time', async (t) => {
  let running = 0;
  let most = 0;
  let runs = 0;
  const { queue } = newQueue(async (key) => {
    runs += 1;
    running += 1;
    most = Math.max(most, running);
    if (runs === 1) {
      queue.add(key);
      queue.add(key);
    }
    await turn();
    running -= 1;
    return undefined;
  });
  queue.add('a');
  while (runs < 2) await turn();
  await turn();
  await turn();
  t.same({ runs, most }, { runs: 2, most: 1 });
  await queue.stop();
});

t.test('a failing key is tried again, later each time, and holds up no other', async (t) => {
  const synced: string[] = [];
  let left = 3;
  const { queue, failures } = newQueue(async (key) => {
    if (key === 'bad' && left-- > 0) throw new Error('not yet');
    synced.push(key);
    return undefined;
  });
  queue.add('bad');
  queue.add('good');
  while (!synced.includes('bad')) await turn();
  t.same(synced, ['good', 'bad']);
  t.same(
    failures.map(({ failures, retryInMs }) => [failures, retryInMs]),
    [
      [1, 1],
      [2, 2],
      [3, 4],
    ],
  );
  await queue.stop();
});

t.test('no more keys run at once than allowed', async (t) => {
  let running = 0;
  let most = 0;
  let done = 0;
  const { queue } = newQueue(
    async () => {
      running += 1;
      most = Math.max(most, running);
      await turn();
      running -= 1;
      done += 1;
      return undefined;
    },
    { concurrency: 2 },
  );
  for (const key of ['a', 'b', 'c', 'd', 'e']) queue.add(key);
  while (done < 5) await turn();
  t.equal(most, 2);
  await queue.stop();
});

t.test('a sync that asks to look again is run again, and earlier when the key is added', async (t) => {
  let runs = 0;
  const { queue } = newQueue(async () => {
    runs += 1;
    return runs === 1 ? 1 : runs === 2 ? 60_000 : undefined;
  });
  queue.add('a');
  while (runs < 2) await turn();
  await turn();
  queue.add('a');
  while (runs < 3) await turn();
  t.equal(runs, 3);
  await queue.stop();
});

t.test('what is to be looked at later is not put off by who asks again', async (t) => {
  let runs = 0;
  const { queue } = newQueue(async () => {
    runs += 1;
    return undefined;
  });
  queue.addAfter('a', 60_000);
  queue.addAfter('a', 1); // sooner counts
  queue.addAfter('a', 60_000);
  while (runs < 1) await turn();
  queue.addAfter('b', 1);
  const askedAt = performance.now();
  while (runs < 2 && performance.now() < askedAt + 5_000) {
    queue.addAfter('b', 50);
    await turn();
  }
  t.equal(runs, 2);
  await queue.stop();
});

t.test('stopping aborts what runs, waits for it, and starts nothing more', async (t) => {
  const seen: string[] = [];
  const { queue } = newQueue(
    async (key, signal) => {
      seen.push(`${key} begins`);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await turn();
      seen.push(`${key} ends`);
      return 1;
    },
    { concurrency: 1 },
  );
  queue.add('a');
  queue.add('b');
  await turn();
  await queue.stop();
  queue.add('c');
  await turn();
  t.same(seen, ['a begins', 'a ends']);
});
