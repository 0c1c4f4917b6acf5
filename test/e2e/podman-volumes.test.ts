import t from 'tap';
import { whyNoPodman } from '../support/podman-engine.ts';
import { startPodman } from '../support/test-engine.ts';
import { persistentVolumes } from './persistent-volumes-scenarios.ts';
import { podConfiguration } from './pod-configuration-scenarios.ts';
import { podVolumes } from './pod-volumes-scenarios.ts';

t.test('on Podman', { skip: whyNoPodman() ?? false }, async (t) => {
  const engine = await startPodman(t);
  await t.test('volumes of pods', (t) => podVolumes(t, engine));
  await t.test('volumes that last', (t) => persistentVolumes(t, engine));
  await t.test('configuration of pods', (t) => podConfiguration(t, engine));
});
