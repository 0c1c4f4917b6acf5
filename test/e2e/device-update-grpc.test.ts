import t from 'tap';
import { deviceUpdateScenarios } from './device-update-scenarios.ts';

await deviceUpdateScenarios(t, 'grpc');
