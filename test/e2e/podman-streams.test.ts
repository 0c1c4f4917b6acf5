import t from 'tap';
import { whyNoPodman } from '../support/podman-engine.ts';
import { startPodman } from '../support/test-engine.ts';
import { execScenarios } from './exec-scenarios.ts';
import { logsOfContainers } from './logs-scenarios.ts';

t.test('on Podman', { skip: whyNoPodman() ?? false }, async (t) => {
  const engine = await startPodman(t);
  await t.test('logs', (t) => logsOfContainers(t, engine));
  await t.test('commands and connections', (t) => execScenarios(t, engine, 'mqtt'));
});
