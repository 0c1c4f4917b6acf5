import t from 'tap';
import type { TrialOutcome } from '../../../agent/update/slots.ts';
import { planUpdate, returnVerdict, type Situation } from '../../../agent/update/update-plan.ts';
import type { AgentRelease } from '../../../proto/agent-release.ts';

const update = {
  step: 'apply',
  order: 'download-then-stop',
  minHealthySeconds: 5,
  maxRestarts: 0,
  deadlineSeconds: 60,
  rollback: true,
} as const;
const release = (change: Partial<AgentRelease> = {}): AgentRelease => ({
  ...{ id: 'x', release: 'default/fleet', version: '2.0.0', port: 6443, update },
  ...change,
});
const staged = release({ update: { ...update, step: 'stage' } });
const situation = (change: Partial<Situation> = {}): Situation => ({
  version: '1.0.0',
  verdict: undefined,
  isInstalled: true,
  slot: undefined,
  staging: { state: 'none' },
  closed: undefined,
  nowMs: 1_000,
  ...change,
});
const closed = { reason: 'WaitingForWindow', message: 'its window opens later', untilMs: 5_000 };
const failed = { state: 'failed', reason: 'DownloadFailed', message: 'no answer', retryAtMs: 9_000 } as const;

t.test('step by step', async (t) => {
  t.match(planUpdate(release(), situation()), { next: { type: 'stage' }, staged: { status: 'False' } });
  const running = planUpdate(release(), situation({ staging: { state: 'running' } }));
  t.match(running, { next: { type: 'wait' }, staged: { reason: 'Downloading' } }, 'never twice at once');
  t.match(planUpdate(staged, situation({ slot: 'a' })), {
    next: { type: 'wait', wakeAtMs: Number.POSITIVE_INFINITY },
    staged: { status: 'True' },
    accepted: undefined,
  });
  t.match(planUpdate(release(), situation({ slot: 'a' })), {
    next: { type: 'switch', slot: 'a' },
    accepted: { status: 'Unknown', reason: 'Trying' },
  });
  t.match(planUpdate(release(), situation({ version: '2.0.0' })), {
    next: { type: 'settle', verdict: { outcome: 'accepted', reason: 'AlreadyThere' } },
  });
});

t.test('what was decided stays', async (t) => {
  const verdict = { outcome: 'rejected', reason: 'Crashed', message: 'so' } as const;
  t.match(planUpdate(release(), situation({ verdict, slot: 'a' })), {
    next: { type: 'wait', wakeAtMs: Number.POSITIVE_INFINITY },
    accepted: { status: 'False', reason: 'Crashed', message: 'so' },
  });
  const accepted = { ...verdict, outcome: 'accepted' } as const;
  t.match(planUpdate(release(), situation({ verdict: accepted })), { accepted: { status: 'True' } });
});

t.test('an agent that is not installed says what to do', async (t) => {
  t.match(planUpdate(release(), situation({ isInstalled: false })), {
    next: { type: 'settle', verdict: { outcome: 'rejected', reason: 'NotInstalled' } },
  });
});

t.test('a download that fails is tried again, unless that is for good', async (t) => {
  t.match(planUpdate(release(), situation({ staging: { ...failed, isFinal: false } })), {
    next: { type: 'wait', wakeAtMs: 9_000 },
    staged: { status: 'False', reason: 'DownloadFailed', message: 'no answer' },
  });
  const later = situation({ staging: { ...failed, isFinal: false }, nowMs: 9_000 });
  t.match(planUpdate(release(), later), { next: { type: 'stage' } });
  t.match(planUpdate(release(), situation({ staging: { ...failed, isFinal: true } })), {
    next: { type: 'settle', verdict: { outcome: 'rejected', reason: 'DownloadFailed' } },
  });
});

t.test('windows: to download in when only that is asked for, otherwise to switch in', async (t) => {
  const waits = { next: { type: 'wait', wakeAtMs: 5_000 } };
  t.match(planUpdate(staged, situation({ closed })), { ...waits, staged: { reason: 'WaitingForWindow' } });
  t.match(planUpdate(release(), situation({ closed })), { next: { type: 'stage' } });
  t.match(planUpdate(release(), situation({ closed, slot: 'b' })), {
    ...waits,
    accepted: { status: 'Unknown', reason: 'WaitingForWindow' },
  });
});

t.test('why a version was gone back from', async (t) => {
  const outcome = (change: Partial<TrialOutcome>): TrialOutcome => ({
    ...{ slot: 'a', request: 'x', from: '1.0.0', hadContact: true, hadEngine: true, seconds: 30 },
    ...{ minHealthySeconds: 5, starts: 1, failed: undefined, ...change },
  });
  const reason = (change: Partial<TrialOutcome>) => returnVerdict(outcome(change)).reason;
  t.equal(reason({ starts: 3 }), 'Crashed');
  t.equal(reason({ starts: 1 }), 'NotStarted');
  t.equal(reason({ failed: 'Hung' }), 'Hung');
  t.equal(reason({ failed: 'NoContact' }), 'NoContact');
  t.equal(reason({ failed: 'Unhealthy' }), 'Unhealthy');
  t.equal(reason({ failed: 'something of a later version' }), 'Failed');
  t.match(returnVerdict(outcome({ starts: 3 })).message, /went back to 1\.0\.0$/);
});
