import t from 'tap';
import { PrivateEngine } from '../support/engine.ts';
import { faultAtEachStep } from './fault-scenarios.ts';

const engine = new PrivateEngine(11);

t.test('an engine that is killed at anything that it does for a pod, and started again', async (t) => {
  t.teardown(() => engine.close());
  await engine.start();
  const fault = {
    ...{ name: 'engine', engine, signal: 'SIGKILL' as const },
    pid: () => engine.pid,
    only: '^sent ', // it knows of it, and has not answered
    mend: () => engine.startAgain(),
  };
  await t.test('of its start', (t) => faultAtEachStep(t, fault, 'start'));
  await t.test('of its end', (t) => faultAtEachStep(t, fault, 'end'));
});
