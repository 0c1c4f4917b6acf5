import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { podVolumes } from './pod-volumes-scenarios.ts';

t.test('volumes', async (t) => podVolumes(t, await testEngine(t)));
