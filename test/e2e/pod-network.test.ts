import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { podNetwork } from './pod-network-scenarios.ts';

t.test('the network of pods', async (t) => podNetwork(t, await testEngine(t)));
