import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { podConfiguration } from './pod-configuration-scenarios.ts';

t.test('configuration', async (t) => podConfiguration(t, await testEngine(t)));
