import t from 'tap';
import { planUpdate, type UpdateInput, type UpdateRecord } from '../../../agent/pod/turn.ts';
import type { PodUpdate } from '../../../proto/pod-update.ts';

const update: PodUpdate = {
  step: 'apply',
  replaces: 'old',
  order: 'download-then-stop',
  minHealthySeconds: 10,
  maxRestarts: 2,
  deadlineSeconds: 60,
  rollback: true,
};
const trying: UpdateRecord = { phase: 'trying', reason: 'Trying', message: '', starts: 1 };

interface Given {
  readonly update?: Partial<PodUpdate>;
  readonly record?: UpdateRecord | undefined;
  readonly next?: Partial<UpdateInput['next']>;
  readonly old?: Partial<UpdateInput['old']>;
  readonly nowMs?: number;
  readonly closed?: UpdateInput['closed'];
  readonly deferred?: UpdateInput['deferred'];
}

function plan({ update: more = {}, record = trying, next = {}, old = {}, nowMs = 0, ...waits }: Given) {
  return planUpdate({
    update: { ...update, ...more },
    record,
    next: {
      isStaged: true,
      hasBegun: true,
      isRunning: true,
      readySinceMs: undefined,
      restarts: 0,
      failedCheck: undefined,
      trouble: undefined,
      ...next,
    },
    old: { isRunning: false, isCleared: false, ...old },
    closed: waits.closed,
    deferred: waits.deferred,
    tryingSinceMs: 0,
    nowMs,
  });
}

const notBegun = { hasBegun: false, isRunning: false };
const absent = { ...notBegun, isStaged: false };
const oldRuns = { isRunning: true };

t.test('whose turn it is, by the order', async (t) => {
  for (const [order, what, given, next, old] of [
    ['download-then-stop', 'not downloaded', { next: absent, old: oldRuns }, 'hold', 'run'],
    ['download-then-stop', 'downloaded', { next: notBegun, old: oldRuns }, 'yield', 'yield'],
    ['download-then-stop', 'the old one has ended', { next: notBegun }, 'run', 'yield'],
    ['download-then-stop', 'running', {}, 'run', 'yield'],
    ['download-then-stop', 'its image was lost since', { next: { isStaged: false } }, 'run', 'yield'],
    ['stop-then-download', 'not downloaded', { next: absent, old: oldRuns }, 'yield', 'yield'],
    ['stop-then-download', 'the old one has ended', { next: absent }, 'run', 'yield'],
    ['delete-then-download', 'not downloaded', { next: absent, old: oldRuns }, 'yield', 'clear'],
    ['delete-then-download', 'the old one has ended', { next: absent }, 'yield', 'clear'],
    [
      'delete-then-download',
      'and nothing is left of it',
      { next: absent, old: { isCleared: true } },
      'run',
      'clear',
    ],
    ['start-first', 'not downloaded', { next: absent, old: oldRuns }, 'hold', 'run'],
    ['start-first', 'downloaded', { next: notBegun, old: oldRuns }, 'run', 'run'],
    ['start-first', 'both run', { old: oldRuns }, 'run', 'run'],
  ] as const) {
    const planned = plan({ ...given, update: { order } });
    t.same([planned.next, planned.old], [next, old], `${order}: ${what}`);
  }
});

t.test('only to be staged: it downloads, and nothing of it is decided', async (t) => {
  const staged = planUpdate({ ...inputOf({ step: 'stage' }), record: undefined });
  t.match(staged, { next: 'hold', old: 'run', record: undefined });
  const later = planUpdate({ ...inputOf({ step: 'stage', order: 'stop-then-download' }), record: undefined });
  t.match(later, { next: 'yield', old: 'run' }, 'where it could not be downloaded beside the other');
  const closed = { reason: 'WaitingForWindow', message: 'tonight', untilMs: 77 };
  const tonight = planUpdate({ ...inputOf({ step: 'stage' }), closed });
  t.match(tonight, { next: 'yield', old: 'run', record: undefined, wakeAtMs: 77 }, 'its window is closed');
});

function inputOf(more: Partial<PodUpdate>): UpdateInput {
  return {
    update: { ...update, ...more },
    record: undefined,
    next: {
      ...absent,
      readySinceMs: undefined,
      restarts: 0,
      failedCheck: undefined,
      trouble: undefined,
    },
    old: { isRunning: true, isCleared: false },
    closed: undefined,
    deferred: undefined,
    tryingSinceMs: 0,
    nowMs: 0,
  };
}

t.test('a pod that was ready for long enough is taken; then the old one stays away for good', async (t) => {
  const soon = plan({ next: { readySinceMs: 5_000 }, nowMs: 14_999 });
  t.match(soon, { record: { phase: 'trying' }, wakeAtMs: 15_000 });
  const { record } = plan({ next: { readySinceMs: 5_000 }, nowMs: 15_000 });
  t.match(record, { phase: 'accepted', reason: 'Healthy' });
  t.match(plan({ record, next: { restarts: 99 }, nowMs: 999_000 }), { next: 'run', old: 'yield', record });
});

t.test('a pod that does not do well is rejected, and stays so', async (t) => {
  const why = { trouble: 'container main ended with exit code 1' };
  t.match(plan({ next: { restarts: 2, ...why } }).record, { phase: 'trying', message: why.trouble });
  const { record } = plan({ next: { restarts: 3, ...why } });
  t.match(record, {
    phase: 'rejected',
    reason: 'Restarts',
    message: 'its containers restarted 3 times, 2 are allowed: container main ended with exit code 1',
  });
  t.match(plan({ nowMs: 59_999 }), { record: { phase: 'trying' }, wakeAtMs: 60_000 });
  t.match(plan({ nowMs: 60_000 }).record, { phase: 'rejected', reason: 'DeadlineExceeded' });
  t.match(plan({ record: { ...trying, starts: 5 } }).record, { phase: 'rejected', reason: 'DeviceRestarts' });
  t.match(plan({ record, next: { readySinceMs: 0 }, nowMs: 99_000 }).record, { phase: 'rejected' });
});

t.test('a check that fails too often rejects the pod; without a way back it is told', async (t) => {
  const next = { failedCheck: 'its check failed 3 times in a row: it answered with status 500' };
  const rejected = { phase: 'rejected', reason: 'CheckFailed', message: next.failedCheck };
  t.match(plan({ next }).record, rejected);
  t.match(plan({ next, update: { rollback: false } }).record, { ...rejected, phase: 'trying' });
});

t.test('after a rejection the old one comes back when the place is free', async (t) => {
  const record = { ...trying, phase: 'rejected' } as const;
  t.match(plan({ record }), { next: 'yield', old: 'yield' }, 'the new one still runs');
  t.match(plan({ record, next: { isRunning: false } }), { next: 'yield', old: 'run' });
  t.match(plan({ record, old: oldRuns }), { next: 'yield', old: 'run' }, 'it never left');
});

t.test('without a way back it tries on, and tells', async (t) => {
  const { record, next } = plan({ update: { rollback: false }, next: { restarts: 9 }, nowMs: 99_000 });
  t.match({ record, next }, { record: { phase: 'trying', reason: 'Restarts' }, next: 'run' });
  t.match(
    plan({ update: { rollback: false }, next: { readySinceMs: 0, restarts: 9 }, nowMs: 99_000 }).record,
    {
      phase: 'accepted',
    },
  );
});

t.test('outside of its window it downloads and waits; what has begun goes on', async (t) => {
  const closed = { reason: 'WaitingForWindow', message: 'its window opens at 02:00', untilMs: 7_000 };
  const waiting = planUpdate({ ...inputOf({}), closed });
  t.match(waiting, { next: 'hold', old: 'run', wakeAtMs: 7_000 });
  t.match(waiting.record, { phase: 'waiting', reason: 'WaitingForWindow', message: closed.message });
  const opened = plan({ record: waiting.record, next: notBegun, old: oldRuns });
  t.match(opened, { next: 'yield', old: 'yield', record: { phase: 'trying', starts: 1 } });
  t.match(
    plan({ closed }),
    { next: 'run', record: { phase: 'trying' } },
    'a window that closes ends nothing',
  );
});

t.test('the time that it waited is not its own', async (t) => {
  const closed = { reason: 'WaitingForWindow', message: 'its window opens at 02:00', untilMs: 7_000 };
  const { record } = planUpdate({ ...inputOf({}), closed });
  const opened = plan({ record, next: notBegun, old: oldRuns, nowMs: 8 * 3_600_000 });
  t.match(opened, { record: { phase: 'trying' }, wakeAtMs: 8 * 3_600_000 + 60_000 });
});

const DEFERRAL = {
  spentMs: 5_000,
  at: { bootId: 'a', uptimeMs: 1, wallMs: 1 },
  lease: 'printing a 1',
} as const;
const deferred = {
  reason: 'WaitingForConsent',
  message: 'lease printing puts it off',
  untilMs: 9_000,
  deferral: DEFERRAL,
};
const consent = { consent: { maxDeferSeconds: 3_600 } };
const switching: UpdateRecord = { ...trying, isSwitching: true };

t.test('somebody puts it off until it begins to take the place, and no longer', async (t) => {
  const waits: [string, Given][] = [
    ['not begun', { record: undefined, next: notBegun, old: oldRuns }],
    ['downloading', { next: absent, old: oldRuns }],
    ['downloaded just now', { next: notBegun, old: oldRuns }],
    [
      'asked to free the memory first',
      { update: { order: 'stop-then-download' }, next: absent, old: oldRuns },
    ],
  ];
  for (const [what, given] of waits) {
    const base = given.record === undefined && 'record' in given ? inputOf(consent) : undefined;
    const put = base
      ? planUpdate({ ...base, deferred })
      : plan({ ...given, deferred, update: { ...consent, ...given.update } });
    t.match(put, { old: 'run', wakeAtMs: 9_000 }, what);
    t.match(
      put.record,
      { phase: 'waiting', reason: 'WaitingForConsent', deferral: DEFERRAL, starts: 0 },
      what,
    );
  }
  const goesOn: [string, Given][] = [
    ['the old one was asked to end', { record: switching, next: notBegun, old: oldRuns }],
    ['it has containers', { next: { isStaged: true } }],
    ['it was accepted', { record: { ...trying, phase: 'accepted' } }],
  ];
  for (const [what, given] of goesOn)
    t.equal(plan({ ...given, deferred, update: consent }).old, 'yield', what);
  const rejected = plan({
    record: { ...trying, phase: 'rejected' },
    next: notBegun,
    deferred,
    update: consent,
  });
  t.equal(rejected.old, 'run', 'who goes back asks nobody');
});

t.test(
  'from when nobody puts it off it switches, which is remembered; a window keeps what was spent',
  async (t) => {
    const waiting: UpdateRecord = {
      phase: 'waiting',
      reason: 'WaitingForConsent',
      message: '',
      starts: 0,
      deferral: DEFERRAL,
    };
    const given = { record: waiting, next: notBegun, old: oldRuns, update: consent };
    t.match(plan(given), { old: 'yield', record: { phase: 'trying', starts: 1, isSwitching: true } });
    t.equal(plan({ ...given, next: absent }).record?.isSwitching, undefined, 'not while it downloads');
    t.equal(plan({ ...given, update: {} }).record?.isSwitching, undefined, 'nor where nobody may put it off');
    const closed = { reason: 'WaitingForWindow', message: 'its window opens at 02:00', untilMs: 7_000 };
    t.match(plan({ ...given, closed, deferred }).record, { reason: 'WaitingForWindow', deferral: DEFERRAL });
  },
);
