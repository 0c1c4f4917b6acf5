import t from 'tap';
import { whyNoPodman } from '../support/podman-engine.ts';
import { startPodman } from '../support/test-engine.ts';
import { podSecurity } from './pod-security-scenarios.ts';

t.test('on Podman', { skip: whyNoPodman() ?? false }, async (t) => {
  const engine = await startPodman(t);
  await t.test('security of pods', (t) => podSecurity(t, engine));
});
