import { pino } from 'pino';
import t, { type Test } from 'tap';
import { MOST_LEASES } from '../../../agent/pod/lease.ts';
import { Leases } from '../../../agent/reconcile/leases.ts';
import { AgentState } from '../../../agent/state/agent-state.ts';
import { makePod } from '../builders.ts';

const log = pino({ level: 'silent' });
const pod = makePod({}, { name: 'app-1' });

function leasesOn(t: Test) {
  const dir = t.testdir();
  const world = { bootId: 'a', nowMs: 0, wallMs: 1_000_000, changes: 0, state: AgentState.open(dir, log) };
  t.teardown(() => world.state.close());
  const moment = () => ({ bootId: world.bootId, uptimeMs: world.nowMs, wallMs: world.wallMs + world.nowMs });
  const onChange = () => {
    world.changes += 1;
  };
  const open = () => new Leases({ state: world.state, moment, log, onChange });
  /** Another agent, with what this one has stored. */
  const reopen = () => {
    world.state.close();
    world.state = AgentState.open(dir, log);
    return open();
  };
  return { world, leases: open(), reopen };
}

const lease = (name: string, seconds = 60, more: object = {}) => ({ name, seconds, reason: '', ...more });

t.test('they stand for their time, and are told of when they change', async (t) => {
  const { world, leases } = leasesOn(t);
  leases.hold(lease('b'));
  leases.hold(lease('a', 30));
  t.same(
    leases.list().map(({ name }) => name),
    ['a', 'b'],
  );
  t.equal(leases.over(pod)?.name, 'b', 'the one that stands longest');
  world.nowMs = 20_000;
  leases.hold(lease('a', 50));
  t.equal(leases.over(pod)?.name, 'a', 'renewed');
  t.equal(leases.release('a'), true);
  t.equal(leases.release('a'), false);
  t.equal(world.changes, 4);
  world.nowMs = 60_000;
  t.equal(leases.over(pod), undefined);
  t.same(leases.list(), []);
  t.equal(leases.release('b'), false, 'what is over cannot be given back');
  t.equal(world.state.leases().size, 0, 'and is not kept');
});

t.test('one that is for a pod is over no other', async (t) => {
  const { leases } = leasesOn(t);
  leases.hold(lease('other', 60, { pod: 'default/app-2' }));
  t.equal(leases.over(pod), undefined);
  leases.hold(lease('own', 60, { pod: 'default/app-1' }));
  t.equal(leases.over(pod)?.name, 'own');
});

t.test('they outlive the agent, and the device as far as its clock can be believed', async (t) => {
  const { world, leases, reopen } = leasesOn(t);
  leases.hold(lease('a', 60, { reason: 'a page' }));
  world.nowMs = 10_000;
  t.match(reopen().list(), [{ name: 'a', seconds: 60, reason: 'a page' }]);
  Object.assign(world, { bootId: 'b', nowMs: 5_000, wallMs: 1_040_000 });
  t.equal(reopen().over(pod)?.name, 'a');
  Object.assign(world, { bootId: 'c', wallMs: 0 });
  t.equal(reopen().over(pod), undefined, 'a clock that was set back');
  t.equal(world.state.leases().size, 0);
});

t.test('there are only so many', async (t) => {
  const { world, leases } = leasesOn(t);
  for (let index = 0; index < MOST_LEASES; index += 1) leases.hold(lease(`l${index}`));
  t.equal(leases.hold(lease('more')), undefined);
  t.ok(leases.hold(lease('l0', 30)), 'who has one can renew it');
  world.nowMs = 30_000;
  t.ok(leases.hold(lease('more')), 'one has ended');
});

t.test('what cannot be stored does not stand', async (t) => {
  const { world, leases } = leasesOn(t);
  const refuse = () => {
    throw new Error('database or disk is full');
  };
  world.state.saveLease = refuse;
  t.throws(() => leases.hold(lease('a')), /disk is full/);
  t.same(leases.list(), []);
  t.equal(world.changes, 0);
});
