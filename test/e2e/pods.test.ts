import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { podsOnDevices } from './pods-scenarios.ts';

t.test('pods', async (t) => podsOnDevices(t, await testEngine(t)));
