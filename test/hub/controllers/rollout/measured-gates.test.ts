import t from 'tap';
import { resumed, stepGate } from '../../../../hub/controllers/rollout/measured-gates.ts';
import type { MeasuredGate } from '../../../../hub/fleet/measured-gate.ts';
import type { GateStatus } from '../../../../hub/fleet/rollout.ts';

const S = 1000;
const BEGIN = Date.parse('2026-01-01T00:00:00Z');
const at = (ms: number) => new Date(BEGIN + ms).toISOString();

const gate: MeasuredGate = {
  name: 'errors',
  interval: '60s',
  failureLimit: 0,
  deadline: '10m',
  onInconclusive: 'pause',
  dryRun: false,
};

/** A gate that is asked in time and answers at once, as `says`: what was asked when, and how it ended. */
function run(
  policy: Partial<MeasuredGate>,
  says: (atMs: number) => GateStatus['result'] | undefined,
  { bakeMs = 0, forMs = 3_600 * S } = {},
) {
  const asked: number[] = [];
  let status: GateStatus | undefined;
  let nowMs = 0;
  for (let step = 0; step < 1000; step += 1) {
    const known = status;
    const result = known && known.answeredAt === undefined ? says(nowMs) : undefined;
    const answer = known &&
      result && { wave: 'w', gate: 'errors', askedAt: known.askedAt, result, message: result };
    const time = { nowMs: BEGIN + nowMs, bakedAtMs: BEGIN + bakeMs };
    const next = stepGate({ ...gate, ...policy }, status, answer, time);
    status = next.status;
    if (next.isAsked && known?.askedAt !== status.askedAt) asked.push(nowMs / S);
    if (next.standing !== 'waits') return { standing: next.standing, asked, atS: nowMs / S, status };
    if (next.isAsked && says(nowMs) !== undefined) continue;
    if (next.wakeInMs === undefined) break;
    nowMs += next.wakeInMs;
    if (nowMs > forMs) break;
  }
  return { standing: 'waits', asked, atS: nowMs / S, status };
}

t.test('a gate that passes is asked once, each interval of the bake, and when it is over', async (t) => {
  t.match(
    run({}, () => 'pass'),
    { standing: 'passed', asked: [0], atS: 0 },
  );
  t.match(
    run({}, () => 'pass', { bakeMs: 150 * S }),
    {
      standing: 'passed',
      asked: [0, 60, 120, 150],
      atS: 150,
    },
  );
});

t.test('one failure is enough; with a limit it takes more in a row', async (t) => {
  const fromSecond70 = (ms: number) => (ms >= 70 * S ? 'fail' : 'pass');
  const bakeMs = 600 * S;
  t.match(run({}, fromSecond70, { bakeMs }), { standing: 'failed', asked: [0, 60, 120], atS: 120 });
  t.match(run({ failureLimit: 2 }, fromSecond70, { bakeMs }), { standing: 'failed', atS: 240 });
  const once = (ms: number) => (ms === 60 * S ? 'fail' : 'pass');
  t.match(run({ failureLimit: 1 }, once, { bakeMs }), { standing: 'passed', atS: 600 });
  t.match(
    run({ failureLimit: 1 }, (ms) => (ms === 0 ? 'fail' : 'pass')),
    {
      standing: 'passed',
      asked: [0, 60],
    },
  );
});

t.test('inconclusive: asked again, ever more rarely, until the deadline', async (t) => {
  const never = () => 'inconclusive' as const;
  t.match(run({}, never), {
    standing: 'stuck',
    asked: [0, 5, 15, 35, 75, 135, 195, 255, 315, 375, 435, 495, 555],
    atS: 600,
  });
  t.match(run({ onInconclusive: 'fail' }, never), { standing: 'failed', atS: 600 });
  t.match(run({ onInconclusive: 'continue' }, never), { standing: 'passed', atS: 600 });
  t.match(run({ onInconclusive: 'continue' }, never, { bakeMs: 1200 * S }), {
    standing: 'passed',
    atS: 1200,
  });
  t.match(
    run({}, (ms) => (ms < 20 * S ? 'inconclusive' : 'pass')),
    { standing: 'passed', atS: 35 },
  );
  const hole = (ms: number) => (ms > 100 * S && ms < 500 * S ? 'inconclusive' : 'pass');
  t.match(run({}, hole, { bakeMs: 900 * S }), { standing: 'passed', atS: 900 });
});

t.test('who never answers at all, as when each hub ends over it, has the same deadline', async (t) => {
  t.match(
    run({}, () => undefined),
    { standing: 'stuck', asked: [0], atS: 600 },
  );
  t.match(
    run({ dryRun: true }, () => undefined),
    { standing: 'passed', asked: [0], atS: 600 },
  );
});

t.test('a dry run is told, and holds nobody up', async (t) => {
  t.match(
    run({ dryRun: true }, () => 'fail'),
    { standing: 'passed', asked: [0], status: { result: 'fail' } },
  );
  t.match(
    run({ dryRun: true }, () => 'inconclusive'),
    { standing: 'passed', asked: [0] },
  );
  t.match(
    run({ dryRun: true }, () => 'fail', { bakeMs: 90 * S }),
    { standing: 'passed', asked: [0, 60, 90] },
  );
});

t.test(
  'a question that was asked before is the same after a restart, and only its answer counts',
  async (t) => {
    const before: GateStatus = {
      name: 'errors',
      result: 'inconclusive',
      message: 'x',
      askedAt: at(5 * S),
      openSince: at(0),
      tries: 1,
    };
    const time = { nowMs: BEGIN + 6 * S, bakedAtMs: BEGIN };
    const again = stepGate(gate, before, undefined, time);
    t.match(again, { isAsked: true, status: { askedAt: at(5 * S) } });
    const late = { wave: 'w', gate: 'errors', askedAt: at(0), result: 'pass', message: '' } as const;
    t.match(stepGate(gate, before, late, time), { standing: 'waits', isAsked: true });
    t.match(stepGate(gate, before, { ...late, askedAt: at(5 * S) }, time), { standing: 'passed' });
  },
);

t.test('what is told of it is bounded', async (t) => {
  const before: GateStatus = { name: 'errors', result: 'inconclusive', message: '', askedAt: at(0) };
  const answer = {
    wave: 'w',
    gate: 'errors',
    askedAt: at(0),
    result: 'fail',
    message: 'x'.repeat(5000),
  } as const;
  const { status } = stepGate(gate, before, answer, { nowMs: BEGIN, bakedAtMs: BEGIN });
  t.equal(status.message.length, 1024);
});

t.test('who goes on accepts what stopped the rollout, and nothing else', async (t) => {
  const known = { name: 'a', message: '', askedAt: at(0), answeredAt: at(1) };
  for (const [what, status, expected] of [
    [
      'it failed',
      { result: 'fail', stopped: true },
      [{ result: 'fail', accepted: true, stopped: undefined }],
    ],
    ['it passed', { result: 'pass' }, [{ result: 'pass', accepted: undefined }]],
    ['accepted before', { result: 'fail', accepted: true }, [{ accepted: true }]],
    ['another stopped it', { result: 'inconclusive' }, []],
    ['another stopped it, and this one was being asked', { result: 'pass', answeredAt: undefined }, []],
  ] as const)
    t.match(resumed([{ ...known, ...status } as GateStatus]), expected, what);
});
