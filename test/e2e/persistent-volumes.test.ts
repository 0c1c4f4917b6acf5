import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { persistentVolumes } from './persistent-volumes-scenarios.ts';

t.test('persistent volumes', async (t) => persistentVolumes(t, await testEngine(t)));
