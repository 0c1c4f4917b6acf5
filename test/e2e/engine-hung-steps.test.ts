import t from 'tap';
import { PrivateEngine } from '../support/engine.ts';
import type { Stand } from '../support/stand.ts';
import { faultAtEachStep } from './fault-scenarios.ts';

t.test('an engine that hangs at anything that it does for a pod, and goes on', async (t) => {
  const engine = new PrivateEngine(13);
  t.teardown(() => engine.close());
  await engine.start();
  const fault = {
    ...{ name: 'hung', engine, signal: 'SIGSTOP' as const },
    pid: () => engine.pid,
    only: '^sent ', // it is to know of it, and not to answer
    mend: async (stand: Stand) => {
      const asked = stand.runAgent('status');
      t.equal(await asked.exit(), 0, 'the agent answers');
      process.kill(engine.pid, 'SIGCONT');
    },
  };
  await t.test('of its start', (t) => faultAtEachStep(t, fault, 'start'));
  await t.test('of its end', (t) => faultAtEachStep(t, fault, 'end'));
});
