import t from 'tap';
import { offlineScenarios } from './offline-scenarios.ts';

t.test('a device whose hub cannot be reached, over mqtt', (t) => offlineScenarios(t, 'mqtt', 11));
