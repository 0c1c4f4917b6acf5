import t from 'tap';
import { AGENT_KILLED, faultAtEachStep } from './fault-scenarios.ts';

t.test('an agent that is killed at any step of the start of a pod', (t) =>
  faultAtEachStep(t, AGENT_KILLED, 'start'),
);
