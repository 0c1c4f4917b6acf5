import t from 'tap';
import { leaseEndsAt, leaseLeftMs, readLeaseRequest } from '../../../agent/pod/lease.ts';
import { elapsedMs, type Moment } from '../../../agent/pod/moment.ts';

const WALL_MS = Date.parse('2026-01-01T00:00:00Z');
const moment = (bootId: string, uptimeMs: number, wallMs = WALL_MS + uptimeMs): Moment => ({
  bootId,
  uptimeMs,
  wallMs,
});

t.test('how much time passed, over agents and starts of the device', async (t) => {
  const since = moment('a', 10_000);
  for (const [what, now, passedMs] of [
    ['the same start', moment('a', 15_000), 5_000],
    ['whatever its clock says', moment('a', 15_000, 0), 5_000],
    ['another start: by the clock', moment('b', 2_000, since.wallMs + 60_000), 60_000],
    ['a clock that was set back', moment('b', 2_000, 0), undefined],
    ['a clock that went on by less than the device ran', moment('b', 2_000, since.wallMs + 1_000), undefined],
    ['nobody knows which start it is', moment('', 15_000), undefined],
  ] as const)
    t.equal(elapsedMs(since, now), passedMs, what);
  t.equal(
    elapsedMs(moment('', 1_000), moment('', 3_000, WALL_MS + 31_000)),
    30_000,
    'then the clock alone counts',
  );
});

t.test('a lease ends by itself, and with a clock that cannot be right', async (t) => {
  const lease = { name: 'a', seconds: 60, reason: '', at: moment('a', 10_000) };
  t.equal(leaseLeftMs(lease, moment('a', 10_000)), 60_000);
  t.equal(leaseLeftMs(lease, moment('a', 69_999)), 1);
  t.equal(leaseLeftMs(lease, moment('a', 70_000)), 0);
  t.equal(leaseLeftMs(lease, moment('a', 99_000)), 0);
  t.equal(leaseLeftMs(lease, moment('b', 5_000, WALL_MS + 30_000)), 40_000, 'over a restart by the clock');
  t.equal(leaseLeftMs(lease, moment('b', 5_000, 0)), 0);
  t.equal(leaseEndsAt(lease), '2026-01-01T00:01:10Z');
});

t.test('what may be asked for', async (t) => {
  t.same(readLeaseRequest('a', { seconds: 60 }), { request: { name: 'a', seconds: 60, reason: '' } });
  const whole = { seconds: 86_400, reason: 'a page', pod: 'default/app-x7' };
  t.same(readLeaseRequest('a.b-1', whole), { request: { name: 'a.b-1', ...whole } });
  for (const [name, body, problem] of [
    ['a', undefined, /a JSON object such as/],
    ['a', [], /a JSON object/],
    ['a', {}, /^seconds must be a whole number from 1 to 86400$/],
    ['a', { seconds: 0 }, /seconds/],
    ['a', { seconds: 1.5 }, /seconds/],
    ['a', { seconds: 86_401 }, /seconds/],
    ['a', { seconds: '60' }, /seconds/],
    ['A', { seconds: 60 }, /^the name must be of lower-case letters/],
    ['a%20b', { seconds: 60 }, /name/],
    ['a'.repeat(64), { seconds: 60 }, /name/],
    ['a', { seconds: 60, reason: 'a\nb' }, /^reason must be a text of one line/],
    ['a', { seconds: 60, reason: 'x'.repeat(201) }, /reason/],
    ['a', { seconds: 60, reason: 7 }, /reason/],
    ['a', { seconds: 60, pod: 'app' }, /^pod must be namespace\/name/],
    ['a', { seconds: 60, forever: true }, /^forever is not known: seconds, reason, pod are$/],
  ] as const) {
    const read = readLeaseRequest(name, body);
    t.match('problems' in read ? read.problems.join('; ') : '', problem, `${name} ${JSON.stringify(body)}`);
  }
  const all = readLeaseRequest('A', { seconds: 0, reason: 7 });
  t.equal('problems' in all && all.problems.length, 3, 'all that is wrong is told at once');
});
