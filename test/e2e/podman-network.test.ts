import t from 'tap';
import { whyNoPodman } from '../support/podman-engine.ts';
import { startPodman } from '../support/test-engine.ts';
import { podNetwork } from './pod-network-scenarios.ts';
import { serviceNames } from './service-names-scenarios.ts';

t.test('on Podman', { skip: whyNoPodman() ?? false }, async (t) => {
  const engine = await startPodman(t);
  await t.test('the network of pods', (t) => podNetwork(t, engine));
  await t.test('names of Services', (t) => serviceNames(t, engine));
});
