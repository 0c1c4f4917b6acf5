import t from 'tap';
import { humanDuration, since } from '../../../hub/resources/human-duration.ts';

const M = 60;
const H = 60 * M;
const D = 24 * H;
const Y = 365 * D;

t.test('a duration has at most two units', async (t) => {
  const cases: [number, string][] = [
    [-2, '<invalid>'],
    [-0.5, '0s'],
    [0, '0s'],
    [119.9, '119s'],
    [2 * M, '2m'],
    [2 * M + 5, '2m5s'],
    [10 * M - 1, '9m59s'],
    [10 * M + 5, '10m'],
    [3 * H - 1, '179m'],
    [3 * H, '3h'],
    [3 * H + 7 * M, '3h7m'],
    [8 * H + 59 * M, '8h'],
    [47 * H, '47h'],
    [2 * D, '2d'],
    [7 * D + 23 * H, '7d23h'],
    [8 * D + 23 * H, '8d'],
    [2 * Y - 1, '729d'],
    [2 * Y, '2y'],
    [2 * Y + 30 * D, '2y30d'],
    [9 * Y, '9y'],
  ];
  for (const [seconds, text] of cases) t.equal(humanDuration(seconds * 1000), text, `${seconds} s`);
});

t.test('the time since a timestamp', async (t) => {
  const now = Date.parse('2026-01-01T00:01:00Z');
  t.equal(since('2026-01-01T00:00:00Z', now), '60s');
  t.equal(since(undefined, now), '<unknown>');
  t.equal(since('never', now), '<unknown>');
});
