import t from 'tap';
import { PodmanEngine, whyNoPodman } from '../support/podman-engine.ts';
import { offlineScenarios } from './offline-scenarios.ts';

t.test('on Podman: a device whose hub cannot be reached', { skip: whyNoPodman() ?? false }, (t) =>
  offlineScenarios(t, 'mqtt', new PodmanEngine(), { comesBack: false }),
);
