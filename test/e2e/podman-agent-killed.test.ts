import t from 'tap';
import { whyNoPodman } from '../support/podman-engine.ts';
import { startPodman } from '../support/test-engine.ts';
import { AGENT_KILLED, ALONE, faultAtEachStep } from './fault-scenarios.ts';

/* Of Podman what is not as with Docker: pods whose network is a network and nothing else. */

t.test('on Podman', { skip: whyNoPodman() ?? false }, async (t) => {
  const fault = { ...AGENT_KILLED, engine: await startPodman(t), pod: ALONE };
  for (const which of ['start', 'end'] as const)
    await t.test(`an agent that is killed at any step of the ${which} of a pod`, (t) =>
      faultAtEachStep(t, fault, which),
    );
});
