import t from 'tap';
import { bar, changeLines, statusText, verdictOf } from '../../../hub/cli/rollout/status-text.ts';
import type { GateStatus, RolloutPhase } from '../../../hub/fleet/rollout.ts';
import { NOW_MS, rolloutOf, waveOf } from './objects.ts';

const AT = '2026-01-01T11:55:00Z';
const COUNTS = { devices: 10, succeeded: 3, updating: 2, pending: 4, failed: 1 };
const progressing = rolloutOf({
  phase: 'Progressing',
  wave: 'pilot',
  ...COUNTS,
  waves: [
    waveOf('canary', 'Done', { devices: 2, succeeded: 2 }),
    waveOf('pilot', 'Progressing', { devices: 4, succeeded: 1, failed: 1, updating: 2 }),
    waveOf('rest', 'Pending'),
  ],
  transitions: [{ at: AT, phase: 'Progressing', wave: 'pilot', reason: 'WaveStarted' }],
});

t.test('who waits is told when it is over, and how', async (t) => {
  const rows: [RolloutPhase, string, string][] = [
    ['Pending', '', 'open'],
    ['Progressing', '', 'open'],
    ['Baking', '', 'open'],
    ['AwaitingApproval', '', 'open'],
    ['Paused', 'PauseRequested', 'open'],
    ['Paused', 'GateFailed', 'failed'],
    ['Paused', 'GateInconclusive', 'failed'],
    ['Paused', 'NoProgress', 'failed'],
    ['Paused', 'CatchUpFailed', 'failed'],
    ['Succeeded', '', 'done'],
    ['Aborted', '', 'failed'],
    ['Undone', '', 'failed'],
    ['Superseded', '', 'failed'],
  ];
  for (const [phase, reason, verdict] of rows)
    t.equal(
      verdictOf(rolloutOf({ phase, transitions: [{ at: AT, phase, reason }] })),
      verdict,
      phase + reason,
    );
});

t.test('the picture', async (t) => {
  t.equal(
    statusText(progressing, { nowMs: NOW_MS }),
    `app-3: Progressing, wave pilot (2 of 3)
  DaemonSet app, revision 3, from 2, policy p, made 10m ago

WAVE     PHASE                        DEVICES   DONE   UPDATING   PENDING   FAILED   LOST   DARK
canary   Done          ████████████   2         2      0          0         0        0      0
pilot    Progressing   ███▒▒▒░░░░░░   4         1      2          0         1        0      0
rest     Pending       ░░░░░░░░░░░░   0         0      0          0         0        0      0
all                    ███▒░░░░░░░░   10        3      2          4         1        0      0`,
  );
});

const gated = (...gates: GateStatus[]) =>
  rolloutOf(
    {
      ...progressing.status,
      wave: 'canary',
      waves: [waveOf('canary', 'Baking', { devices: 2, succeeded: 2, gates }), waveOf('rest', 'Pending')],
    },
    {
      waves: [{ name: 'canary', limit: 2 }],
      gates: {
        measured: [
          { name: 'errors', webhook: { url: 'https://a.example' } },
          { name: 'memory', dryRun: true, devices: { expression: 'true' } },
        ],
      },
    },
  );
const errors: GateStatus = {
  name: 'errors',
  result: 'inconclusive',
  message: 'it has not answered yet',
  askedAt: '2026-01-01T11:59:50Z',
};
const memory: GateStatus = {
  name: 'memory',
  result: 'fail',
  message: 'holds for 1 of 2 devices',
  askedAt: '2026-01-01T11:59:00Z',
  answeredAt: '2026-01-01T11:59:01Z',
};

t.test('what gates have found', async (t) => {
  const text = statusText(gated(errors, memory), { nowMs: NOW_MS });
  t.match(
    text,
    `
GATE     WAVE     RESULT           ASKED     FOUND
errors   canary   asked            10s ago   it has not answered yet
memory   canary   fail (dry run)   60s ago   holds for 1 of 2 devices`,
  );
  const lines = statusText(gated(errors, memory), { nowMs: NOW_MS, columns: 50, rows: 14 }).split('\n');
  t.ok(lines.every((line) => [...line].length <= 50));
});

t.test('for those who read no terminal: a line when a gate has found something else', async (t) => {
  const answeredAt = '2026-01-01T12:00:00Z';
  const failed = { ...errors, result: 'fail', message: 'no', answeredAt } as const;
  for (const [before, after, lines] of [
    [errors, failed, ['app-3: wave canary, gate errors: fail: no']],
    [failed, { ...failed, askedAt: answeredAt }, []],
    [failed, { ...failed, accepted: true }, ['app-3: wave canary, gate errors: fail (accepted): no']],
    [failed, { ...errors, message: 'no', result: 'fail' }, []],
  ] as const)
    t.same(changeLines(gated(before), gated(after)), lines);
});

t.test('it fits the terminal, in both directions', async (t) => {
  const waves = Array.from({ length: 40 }, (_, index) => waveOf(`wave-${index}`, 'Pending'));
  const many = rolloutOf({ ...progressing.status, wave: 'wave-20', waves });
  const lines = statusText(many, { nowMs: NOW_MS, columns: 60, rows: 24 }).split('\n');
  t.ok(lines.length < 24, `${lines.length} lines`);
  t.ok(lines.every((line) => [...line].length <= 60));
  t.match(lines.join('\n'), /wave-20 /);
  t.match(lines.at(-1), /^… and \d+ more waves$/);
});

t.test('who took the revision and does not do well has a column, where there is somebody', async (t) => {
  const broken = rolloutOf({
    ...progressing.status,
    phase: 'Baking',
    unhealthy: 2,
    waves: [waveOf('pilot', 'Baking', { devices: 4, succeeded: 3, unhealthy: 2, dark: 1 })],
  });
  const tableOf = (columns?: number) => statusText(broken, { nowMs: NOW_MS, columns }).split('\n').slice(3);
  const [head, pilot] = tableOf();
  t.match(head, /DEVICES {3}DONE {3}UNHEALTHY {3}UPDATING/);
  t.match(pilot, /^pilot +Baking +███▒▒▒▒▒▒░░░ +4 +3 +2 +0 +0 +0 +0 +1$/);
  const [narrow = '', row] = tableOf(80);
  t.equal(narrow, 'WAVE    PHASE    DEVICES   DONE   UNHEALTHY   UPDATING   PENDING   FAILED   DARK');
  t.match(row, /^pilot +Baking +4 +3 +2 +0 +0 +0 +1$/, 'nobody is lost');
  t.match(changeLines(undefined, broken)[0], /3 of 4 devices, 2 unhealthy, 1 dark$/);
});

t.test('in a terminal of 80 columns every count is there', async (t) => {
  const [, , , head, canary] = statusText(progressing, { nowMs: NOW_MS, columns: 80 }).split('\n');
  t.match(head, /^WAVE .* FAILED {3}LOST {3}DARK$/);
  t.match(canary, /^canary +Done +2 +2 +0 +0 +0 +0 +0$/);
});

t.test('the last line of a rollout is about all of its devices', async (t) => {
  const over = { devices: 10, succeeded: 9, updating: 0, pending: 0, failed: 1 };
  const done = rolloutOf({ ...progressing.status, phase: 'Succeeded', wave: 'rest', ...over });
  t.equal(changeLines(progressing, done).at(-1), 'app-3: Succeeded: 9 of 10 devices, 1 failed');
});

t.test('what somebody could do now', async (t) => {
  const hint = (status: object) => statusText(rolloutOf(status), { nowMs: NOW_MS });
  t.match(hint({ phase: 'Pending' }), /holdfast rollout start app-3$/);
  t.match(
    hint({ phase: 'AwaitingApproval', wave: 'canary' }),
    /holdfast rollout approve app-3 --wave canary$/,
  );
  t.match(hint({ phase: 'Paused' }), /resume app-3\nGo back to revision 2: holdfast rollout undo app-3$/);
  t.match(hint({ phase: 'Succeeded', dark: 2 }), /2 devices are away: they follow/);
  t.match(hint({ phase: 'Succeeded', dark: 1 }), /1 device is away: it follows when it is back/);
});

t.test('the bar shows a single failure, and is never too long', async (t) => {
  t.equal(bar(0, 0, 0), '░░░░░░░░░░░░');
  t.equal(bar(9_999, 1, 10_000), '███████████▒');
  t.equal(bar(5, 5, 10), '██████▒▒▒▒▒▒');
});

t.test('plain lines: what happened, and each tenth of a wave', async (t) => {
  t.same(changeLines(undefined, progressing), [
    'app-3: Progressing, wave pilot (2 of 3): 1 of 4 devices, 2 updating, 1 failed',
  ]);
  t.same(changeLines(progressing, progressing), []);
  const { status = {} } = progressing;
  const paused = {
    at: AT,
    phase: 'Paused' as const,
    wave: 'pilot',
    reason: 'PauseRequested',
    by: 'ann',
    message: 'tea',
  };
  const after = rolloutOf({
    ...status,
    phase: 'Paused',
    transitions: [...(status.transitions ?? []), paused],
  });
  t.same(changeLines(progressing, after), ['app-3: Paused, wave pilot (PauseRequested by ann): tea']);
  const further = rolloutOf({
    ...status,
    waves: (status.waves ?? []).map((wave) =>
      wave.name === 'pilot' ? { ...wave, succeeded: 3, updating: 0 } : wave,
    ),
  });
  t.same(changeLines(progressing, further), [
    'app-3: Progressing, wave pilot (2 of 3): 3 of 4 devices, 1 failed',
  ]);
});
