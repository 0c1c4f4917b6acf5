import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { podSecurity } from './pod-security-scenarios.ts';

t.test('security of pods', async (t) => podSecurity(t, await testEngine(t)));
