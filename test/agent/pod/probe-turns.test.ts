import t from 'tap';
import { evenShares, sharedTurnMs } from '../../../agent/pod/probe-turns.ts';

function firstOf(count: number): number[] {
  const shares = evenShares();
  return Array.from({ length: count }, () => shares.next().value);
}

t.test('turns that probes have together', async (t) => {
  const table: readonly (readonly [dueMs: number, sharedMs: number])[] = [
    [0, 0],
    [1, 1000],
    [999.5, 1000],
    [1000, 1000],
    [1000.5, 2000],
    [86_400_000_000, 86_400_000_000],
  ];
  for (const [due, shared] of table) t.equal(sharedTurnMs(due), shared, `due at ${due} ms`);
  t.equal(sharedTurnMs(sharedTurnMs(123.4) + 10_000), 11_000, 'a period of seconds stays what it is');
});

t.test('however many there are, no part of the period has most of them', async (t) => {
  for (const count of [3, 10, 30, 100]) {
    const shares = firstOf(count);
    t.ok(shares.every((share) => share >= 0 && share < 1));
    const tenths = Map.groupBy(shares, (share) => Math.floor(share * 10));
    const most = Math.max(...[...tenths.values()].map(({ length }) => length));
    t.ok(most <= Math.ceil(count / 10) + 1, `of ${count}, at most ${most} in a tenth of it`);
  }
});
