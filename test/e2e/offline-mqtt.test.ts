import t from 'tap';
import { PrivateEngine } from '../support/engine.ts';
import { offlineScenarios } from './offline-scenarios.ts';

t.test('a device whose hub cannot be reached, over mqtt', (t) =>
  offlineScenarios(t, 'mqtt', new PrivateEngine(15)),
);
