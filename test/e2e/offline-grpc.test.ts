import t from 'tap';
import { offlineScenarios } from './offline-scenarios.ts';

t.test('a device whose hub cannot be reached, over grpc', (t) => offlineScenarios(t, 'grpc', 12));
