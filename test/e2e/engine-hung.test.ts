import type { Node } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { PrivateEngine } from '../support/engine.ts';
import { makeAppImages } from '../support/images.ts';
import { podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/** SIGSTOP: the engine's socket takes what it is told, and nobody answers. */
const engine = new PrivateEngine(12);
const hang = () => process.kill(engine.pid, 'SIGSTOP');
const goOn = () => process.kill(engine.pid, 'SIGCONT');

t.before(() => engine.start());
t.teardown(() => engine.close());

t.test('an engine that hangs for long', async (t) => {
  const stand = new Stand(engine, 'mqtt', 'device-hung');
  const pods = new SeenPods(stand);
  t.teardown(() => stand.close());
  t.teardown(goOn);
  await makeAppImages(engine, [1]);
  await stand.start();
  // One failure would be enough; a command gets more time than an engine needs that has just woken up with much to do.
  const livenessProbe = {
    ...{ exec: { command: ['true'] }, periodSeconds: 1 },
    ...{ timeoutSeconds: 5, failureThreshold: 1 },
  };
  await stand.apply(podOf('probed', { main: { livenessProbe } }));
  await stand.apply(podOf('ends', { main: { command: shell('sleep 1000') } }));
  for (const name of ['probed', 'ends']) await pods.ready(name);
  const before = await pods.container('probed');
  const { State } = await engine.docker.getContainer(await pods.id('ends')).inspect();
  const ready = async () => {
    const { status } = (await stand.api.call('GET', `/api/v1/nodes/${stand.node}`)) as Node;
    return status?.conditions?.find(({ type }) => type === 'Ready');
  };

  hang();
  process.kill(State.Pid, 'SIGKILL');
  await stand.apply(podOf('new', { main: {} }));
  await until('the node is not ready', async () => (await ready())?.status === 'False');
  t.match(await ready(), { reason: 'ContainerEngineDown', message: /taken a question and not answered/ });
  const asked = stand.runAgent('status');
  t.equal(await asked.exit(), 0, 'the agent answers');
  t.match(asked.lines.join('\n'), /not answered/);
  t.equal((await pods.container('ends'))?.restartCount, 0, 'nobody knows yet');

  goOn();
  await until('the node is ready', async () => (await ready())?.status === 'True');
  await pods.ready('new');
  await pods.when('what ended runs again', 'ends', ({ restartCount, ready }) => restartCount === 1 && ready);
  t.equal(
    (await pods.container('probed'))?.containerID,
    before?.containerID,
    'what its probes say is not held against it',
  );

  hang();
  const startedMs = performance.now();
  t.equal(await stand.agent.end(), 0);
  t.comment(`the agent stopped within ${Math.round(performance.now() - startedMs)} ms`);
  goOn();
  await stand.startAgent();
  await stand.agent.line(/the container engine answers/);
  t.equal((await pods.container('probed'))?.containerID, before?.containerID);
});
