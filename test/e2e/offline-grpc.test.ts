import t from 'tap';
import { PrivateEngine } from '../support/engine.ts';
import { offlineScenarios } from './offline-scenarios.ts';

t.test('a device whose hub cannot be reached, over grpc', (t) =>
  offlineScenarios(t, 'grpc', new PrivateEngine(14)),
);
