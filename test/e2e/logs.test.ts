import t from 'tap';
import { testEngine } from '../support/test-engine.ts';
import { logsOfContainers } from './logs-scenarios.ts';

t.test('logs', async (t) => logsOfContainers(t, await testEngine(t)));
