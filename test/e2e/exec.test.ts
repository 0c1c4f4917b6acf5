import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { execScenarios } from './exec-scenarios.ts';

for (const transport of ['mqtt', 'grpc'] as const)
  t.test(`over ${transport}`, async (t) => execScenarios(t, await testEngine(t), transport));
