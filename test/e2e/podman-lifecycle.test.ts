import t from 'tap';
import { whyNoPodman } from '../support/podman-engine.ts';
import { startPodman } from '../support/test-engine.ts';
import { podLifecycle } from './pod-lifecycle-scenarios.ts';

t.test('on Podman', { skip: whyNoPodman() ?? false }, async (t) => podLifecycle(t, await startPodman(t)));
