import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { podLifecycle } from './pod-lifecycle-scenarios.ts';

t.test('the life of pods', async (t) => podLifecycle(t, await testEngine(t)));
