import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { AgentState } from '../../../agent/state/agent-state.ts';
import { AgentUpdates, type AgentUpdatesOptions } from '../../../agent/update/agent-updates.ts';
import { Slots, type Trial } from '../../../agent/update/slots.ts';
import {
  AGENT_RELEASE_ANNOTATION,
  type AgentRelease,
  encodeAgentRelease,
} from '../../../proto/agent-release.ts';
import { until } from '../../support/until.ts';

/* What an agent does about other versions of itself, on real files and a real database; processes and the hub are told. */

const UPDATE = {
  step: 'apply',
  order: 'download-then-stop',
  minHealthySeconds: 5,
  maxRestarts: 0,
  deadlineSeconds: 60,
  rollback: true,
} as const;
const RELEASE: AgentRelease = {
  id: 'x',
  release: 'default/fleet',
  version: '2.0.0',
  port: 1,
  update: UPDATE,
};
const asked = (release: Partial<AgentRelease> = {}) => ({
  kind: 'Node' as const,
  metadata: {
    name: 'edge',
    uid: 'uid',
    annotations: { [AGENT_RELEASE_ANNOTATION]: encodeAgentRelease({ ...RELEASE, ...release }) },
  },
});
const TRIAL: Trial = {
  slot: 'a',
  request: 'x',
  from: '1.0.0',
  hadContact: true,
  hadEngine: true,
  seconds: 30,
  minHealthySeconds: 5,
};

function device(t: Test) {
  const dir = t.testdir({ base: { 'package.json': '{"version": "1.0.0"}' }, slots: {} });
  const slots = join(dir, 'slots');
  const installation = { home: join(dir, 'base'), base: join(dir, 'base'), slots, slot: 'base' } as const;
  const state = AgentState.inMemory();
  const world = {
    nowMs: 0,
    isConnected: true,
    ended: 0,
    staged: [] as string[],
    events: [] as string[],
    told: [] as string[],
    slots: new Slots(installation),
    state,
    put: (version: string) => {
      mkdirSync(join(slots, 'a'), { recursive: true });
      writeFileSync(join(slots, 'a/package.json'), JSON.stringify({ version }));
    },
    updates: (change: Partial<AgentUpdatesOptions> = {}) => {
      const updates = new AgentUpdates({
        installation,
        node: 'edge',
        version: '1.0.0',
        state,
        events: {
          record: (_subject, type, reason, message) => world.events.push(`${type} ${reason}: ${message}`),
        },
        onConditions: (all) =>
          world.told.push(
            all
              .map(({ type, status, reason }) => `${type.split('/Agent')[1]} ${status} ${reason}`)
              .join(', '),
          ),
        closed: () => undefined,
        isConnected: () => world.isConnected,
        hasEngine: () => true,
        stage: async ({ version }) => {
          world.staged.push(version);
          world.put(version);
          return undefined;
        },
        told: async () => undefined,
        end: () => {
          world.ended += 1;
        },
        monotonicMs: () => world.nowMs,
        log: pino({ level: 'silent' }),
        ...change,
      });
      t.teardown(() => updates.close());
      return updates;
    },
  };
  return world;
}

t.test('it fetches, notes the trial, and ends', async (t) => {
  const world = device(t);
  const updates = world.updates();
  updates.take(asked());
  updates.take(asked()); // as with each snapshot
  await until('it ends', () => world.ended > 0);
  t.same(world.staged, ['2.0.0'], 'once');
  t.match(world.slots.trial, {
    slot: 'a',
    request: 'x',
    from: '1.0.0',
    hadContact: true,
    seconds: 60,
    starts: 0,
  });
  updates.look();
  t.equal(world.ended, 1, 'once');
  t.same(world.events, ['Normal AgentUpdating: from 1.0.0 to 2.0.0']);
});

t.test('only to stage is only to stage', async (t) => {
  const world = device(t);
  world.updates().take(asked({ update: { ...UPDATE, step: 'stage' } }));
  await until('it is told', () => world.told.at(-1) === 'Staged True Staged');
  t.equal(world.ended, 0);
});

t.test('a version that was gone back from is remembered before the trial is forgotten', async (t) => {
  const world = device(t);
  world.put('2.0.0');
  world.slots.beginTrial(TRIAL);
  world.slots.failTrial('Hung');
  let isFull = true;
  const saveAgentUpdate = (id: string, verdict: string) => {
    if (isFull) throw new Error('database or disk is full');
    world.state.saveAgentUpdate(id, verdict);
  };
  const agentUpdate = (id: string) => world.state.agentUpdate(id);
  const updates = world.updates({ state: { agentUpdate, saveAgentUpdate } });
  updates.take(asked());
  t.ok(world.slots.trial, 'what can not be stored is not forgotten');
  t.equal(world.ended, 0, 'nor tried again');
  isFull = false;
  updates.look();
  t.notOk(world.slots.trial);
  t.equal(world.told.at(-1), 'Staged True Staged, Accepted False Hung');
  t.match(world.events, [/^Warning AgentUpdateRejected: Hung: /]);
  world.updates().take(asked());
  t.equal(world.told.at(-1), 'Staged True Staged, Accepted False Hung', 'the next agent knows it too');
  t.equal(world.ended, 0);
  world.updates().take(asked({ id: 'y' }));
  await until('it is tried again when it is asked anew', () => world.ended === 1);
});

t.test('a hub that was away is not held against a version', async (t) => {
  const returned = (t: Test) => {
    const world = device(t);
    world.put('2.0.0');
    world.slots.beginTrial(TRIAL);
    world.slots.failTrial('NoContact');
    world.isConnected = false;
    const updates = world.updates();
    updates.take(asked());
    t.equal(world.told.at(-1), 'Accepted Unknown Trying', 'before that is known, nothing is decided');
    t.equal(world.ended, 0);
    return { world, updates };
  };
  await t.test('the version before reaches it at once', async (t) => {
    const { world, updates } = returned(t);
    world.isConnected = true;
    world.nowMs = 5_000;
    updates.look();
    t.match(world.told.at(-1), /Accepted False NoContact/);
    t.equal(world.ended, 0);
  });
  await t.test('nor does the version before', async (t) => {
    const { world, updates } = returned(t);
    world.isConnected = true;
    world.nowMs = 90_000;
    updates.look();
    await until('it is tried again', () => world.ended === 1);
  });
});

t.test('what is taken back is not gone on with', async (t) => {
  const world = device(t);
  let signal: AbortSignal | undefined;
  const updates = world.updates({
    stage: (_release, given) => {
      signal = given;
      return new Promise(() => undefined);
    },
  });
  updates.take(asked());
  t.equal(signal?.aborted, false);
  updates.take(undefined);
  t.equal(signal?.aborted, true);
});

t.test('an agent that is not installed, or runs the version, says so', async (t) => {
  const world = device(t);
  world.updates({ installation: undefined }).take(asked());
  t.equal(world.told.at(-1), 'Accepted False NotInstalled');
  world.updates({ version: '2.0.0' }).take(asked({ id: 'y' }));
  t.equal(world.told.at(-1), 'Accepted True AlreadyThere');
});
