import t from 'tap';
import { offlineScenarios } from './offline-scenarios.ts';

offlineScenarios(t, 'grpc', 12);
