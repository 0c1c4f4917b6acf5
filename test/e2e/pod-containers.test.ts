import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { podContainers } from './pod-containers-scenarios.ts';

t.test('containers of pods', async (t) => podContainers(t, await testEngine(t)));
