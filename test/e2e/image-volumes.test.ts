import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { imageVolumes } from './image-volumes-scenarios.ts';

t.test('volumes of images', async (t) => imageVolumes(t, await testEngine(t)));
