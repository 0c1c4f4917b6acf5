import { pino } from 'pino';
import t, { type Test } from 'tap';
import { Reboots } from '../../../agent/node/reboot.ts';
import { AgentState } from '../../../agent/state/agent-state.ts';
import type { OwnNode } from '../../../agent/state/desired-state.ts';
import { encodeRebootRequest, REBOOT_ANNOTATION } from '../../../proto/node-reboot.ts';

const log = pino({ level: 'silent' });
const NOW_MS = Date.parse('2026-01-01T12:00:00Z');

function asked(id: string, more: object = {}): OwnNode {
  const request = { id, until: '2026-01-01T12:05:00Z', ...more };
  const annotations = { [REBOOT_ANNOTATION]: encodeRebootRequest(request) };
  return { kind: 'Node', metadata: { name: 'a', uid: 'uid-a', annotations } };
}

/** An agent on a directory; what happens, in its order. */
function setUp(t: Test) {
  const dir = t.testdir();
  const happened: string[] = [];
  const world = { isAllowed: true, failure: undefined as string | undefined, told: Promise.resolve() };
  let state = AgentState.open(dir, log);
  t.teardown(() => state.close());
  const start = () =>
    new Reboots({
      state: {
        isRebootDone: (id) => state.isRebootDone(id),
        saveRebootDone: (id) => {
          state.saveRebootDone(id);
          happened.push(`stored ${id}`);
        },
      },
      events: {
        record: ({ kind, namespace, name, uid }, type, reason, message) =>
          happened.push([type, reason, kind, namespace || '-', name, uid, message].join(' ')),
      },
      told: () => world.told,
      reboot: world.isAllowed
        ? async () => {
            happened.push('rebooted');
            return world.failure;
          }
        : undefined,
      bootId: 'first',
      now: () => NOW_MS,
      log,
    });
  /** Another agent, on what the one before has stored. */
  const restart = () => {
    state.close();
    state = AgentState.open(dir, log);
    return start();
  };
  const taken = () => happened.splice(0);
  return { world, start, restart, taken, fill: () => state.close() };
}

t.test('stored first, told then, done last; and never again, by whatever agent', async (t) => {
  const { start, restart, taken } = setUp(t);
  const agent = start();
  await agent.take(asked('one'));
  t.match(taken(), ['stored one', /^Normal Rebooting Node - a uid-a .* \(request one\)$/, 'rebooted']);
  await agent.take(asked('one'));
  await restart().take(asked('one'));
  t.same(taken(), []);
  await restart().take(asked('two'));
  t.match(taken(), ['stored two', /Rebooting/, 'rebooted']);
  await Promise.all([agent.take(asked('three')), agent.take(asked('three'))]);
  t.equal(taken().length, 3, 'asked twice at the same time');
});

t.test('a hub that hears nothing does not keep it', async (t) => {
  const { world, start, taken } = setUp(t);
  world.told = new Promise(() => {});
  const keepsRunning = setTimeout(() => {}, 10_000);
  await start().take(asked('one'));
  clearTimeout(keepsRunning);
  t.equal(taken().at(-1), 'rebooted');
});

t.test('what is refused or fails is told once', async (t) => {
  const { world, start, restart, taken } = setUp(t);
  world.failure = 'the command "x" ended with exit code 3';
  await start().take(asked('one'));
  t.match(taken(), [
    'stored one',
    /Rebooting/,
    'rebooted',
    /^Warning RebootFailed .*exit code 3 \(request one\)$/,
  ]);
  await restart().take(asked('late', { until: '2026-01-01T11:59:00Z' }));
  t.match(taken(), ['stored late', /^Warning RebootRefused .*ask again \(request late\)$/]);
  await restart().take(asked('late', { until: '2026-01-01T11:59:00Z' }));
  world.isAllowed = false;
  await restart().take(asked('two'));
  t.match(taken(), ['stored two', /^Warning RebootRefused .*--reboot-command/]);
  world.isAllowed = true;
  await restart().take(asked('two'));
  await restart().take(asked('three', { bootId: 'before' }));
  await restart().take({ kind: 'Node', metadata: { name: 'a', annotations: { [REBOOT_ANNOTATION]: 'x' } } });
  t.same(
    taken(),
    [],
    'also when the owner allows it afterwards; what has happened already, and what is no request',
  );
});

t.test('what cannot be stored is not done, and stays refused', async (t) => {
  const happened: string[] = [];
  let isFull = true;
  const agent = new Reboots({
    state: {
      isRebootDone: () => false,
      saveRebootDone: () => {
        if (isFull) throw new Error('database or disk is full');
      },
    },
    events: { record: (_, __, reason, message) => happened.push(`${reason} ${message}`) },
    told: async () => {},
    reboot: async () => {
      happened.push('rebooted');
      return undefined;
    },
    bootId: '',
    now: () => NOW_MS,
    log,
  });
  await agent.take(asked('one'));
  isFull = false;
  await agent.take(asked('one'));
  t.match(happened, [/^RebootRefused .*disk is full \(request one\)$/]);
  t.equal(happened.length, 1);
});

t.test('the newest requests are remembered, not all', async (t) => {
  const dir = t.testdir();
  const state = AgentState.open(dir, log);
  t.teardown(() => state.close());
  for (let i = 0; i < 70; i += 1) state.saveRebootDone(`${i}`);
  state.saveRebootDone('69');
  t.same(
    ['0', '5', '6', '69'].map((id) => state.isRebootDone(id)),
    [false, false, true, true],
  );
});
