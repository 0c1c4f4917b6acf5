import t from 'tap';
import { opensAt } from '../../../agent/pod/window.ts';

const at = (text: string) => Date.parse(text);

t.test('when the next window is open', async (t) => {
  const night = { schedule: '0 2 * * *', durationSeconds: 3 * 3600, timeZone: 'Etc/UTC' };
  const berlin = { ...night, timeZone: 'Europe/Berlin' };
  for (const [what, windows, now, opens] of [
    ['before', [night], '2026-01-01T01:00:00Z', '2026-01-01T02:00:00Z'],
    ['as it opens', [night], '2026-01-01T02:00:00Z', '2026-01-01T02:00:00Z'],
    ['in it', [night], '2026-01-01T04:59:59Z', '2026-01-01T04:59:59Z'],
    ['after it', [night], '2026-01-01T05:00:01Z', '2026-01-02T02:00:00Z'],
    ['in another time zone', [berlin], '2026-01-01T00:30:00Z', '2026-01-01T01:00:00Z'],
    ['in summer', [berlin], '2026-07-01T00:30:00Z', '2026-07-01T00:30:00Z'],
    ['over midnight', [{ ...night, schedule: '0 23 * * *' }], '2026-01-02T00:30:00Z', '2026-01-02T00:30:00Z'],
    [
      'the first of two',
      [night, { ...night, schedule: '0 12 * * *' }],
      '2026-01-01T06:00:00Z',
      '2026-01-01T12:00:00Z',
    ],
  ] as const)
    t.equal(new Date(opensAt(windows, at(now)) ?? 0).toISOString(), new Date(at(opens)).toISOString(), what);
  t.equal(opensAt([{ ...night, schedule: '0 2 30 2 *' }], at('2026-01-01T00:00:00Z')), undefined, 'never');
});
