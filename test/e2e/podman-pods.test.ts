import t from 'tap';
import { whyNoPodman } from '../support/podman-engine.ts';
import { startPodman } from '../support/test-engine.ts';
import { imageVolumes } from './image-volumes-scenarios.ts';
import { podContainers } from './pod-containers-scenarios.ts';
import { podsOnDevices } from './pods-scenarios.ts';

t.test('on Podman', { skip: whyNoPodman() ?? false }, async (t) => {
  const engine = await startPodman(t);
  await t.test('pods', (t) => podsOnDevices(t, engine));
  await t.test('volumes of images', (t) => imageVolumes(t, engine));
  await t.test('containers of pods', (t) => podContainers(t, engine));
});
