import t from 'tap';
import { pause, Stop } from '../../../agent/runtime/stop-signal.ts';

t.test('who listens is told once, and why', async (t) => {
  const stop = new Stop();
  const told: string[] = [];
  const unheard = () => told.push('unheard');
  stop.addEventListener('abort', () => told.push('first'));
  stop.addEventListener('abort', unheard);
  stop.addEventListener('abort', () => told.push('second'));
  stop.removeEventListener('abort', unheard);
  t.notOk(stop.aborted);
  stop.abort(new Error('late'));
  stop.abort(new Error('later'));
  t.same(told, ['first', 'second']);
  t.ok(stop.aborted);
  t.equal((stop.reason as Error).message, 'late');
});

t.test('a listener may take itself away while it is told', async (t) => {
  const stop = new Stop();
  const told: number[] = [];
  for (const number of [1, 2, 3]) {
    const listener = () => {
      stop.removeEventListener('abort', listener);
      told.push(number);
    };
    stop.addEventListener('abort', listener);
  }
  stop.abort(new Error('now'));
  t.same(told, [1, 2, 3]);
});

t.test('a pause is over in time, or when it is broken off', async (t) => {
  const stop = new Stop();
  await pause(1, stop);
  const broken = pause(60_000, stop);
  stop.abort(new Error('now'));
  await t.rejects(broken, new Error('now'));
  await t.rejects(pause(60_000, stop), new Error('now'), 'before it began');
  await t.rejects(
    pause(60_000, AbortSignal.abort(new Error('theirs'))),
    new Error('theirs'),
    "the platform's too",
  );
});
