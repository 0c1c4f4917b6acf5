import { cpSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Engine } from '../support/engine.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Program } from '../support/program.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * The link's choice of transport, and what a Node is while its agent is not there, is there twice, or is another one.
 */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const RECONNECT_MS = 90_000; // longer than the longest pause between two attempts to connect

t.test('the link', async (t) => {
  const stand = new Stand(engine, 'auto', 'device-link', ['--node-monitor-grace-period', '2']);
  const pods = new SeenPods(stand);
  const node = async () =>
    (await stand.api.call('GET', `/api/v1/nodes/${stand.node}`)) as {
      metadata: { uid: string };
      spec: { taints?: { key: string; effect: string }[] };
      status: { conditions: { type: string; status: string; reason: string }[] };
    };
  const nodeReady = (status: string) =>
    until(
      `the node's readiness is ${status}`,
      async () => {
        const ready = (await node()).status?.conditions?.find(({ type }) => type === 'Ready');
        return ready?.status === status ? ready : undefined;
      },
      RECONNECT_MS,
    );
  const connection = async (program: Program, from: number) =>
    (JSON.parse(await program.line(/connected to the hub/, from)) as { transport: string }).transport;

  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  await stand.apply(listOf(podOf('steady', { main: { command: shell(`echo begun; ${WORK}`) } })));
  await pods.ready('steady');
  const steady = await pods.id('steady');

  await t.test('auto prefers MQTT', async (t) => {
    t.equal(await connection(stand.agent, 0), 'mqtt');
    await nodeReady('True');
  });

  await t.test('and takes gRPC where MQTT does not get through', async (t) => {
    const said = stand.agent.lines.length;
    await stand.cutLink('mqtt');
    t.equal(await connection(stand.agent, said), 'grpc');
    await nodeReady('True');
    const status = stand.runAgent('status');
    t.equal(await status.exit(), 0);
    t.match(status.lines.join('\n'), /^Hub: +connected to 127\.0\.0\.2 over grpc$/m);
  });

  await t.test('over which everything works', async (t) => {
    t.equal(await stand.kubectl('logs', 'steady', '--request-timeout=30s'), 'begun\n');
    await stand.apply(
      podOf('brief', { main: { command: shell('echo said; exit 4') } }, { restartPolicy: 'Never' }),
    );
    const { status } = await pods.phase('brief', 'Failed');
    t.equal(status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 4);
    t.equal(await stand.kubectl('logs', 'brief', '-f', '--request-timeout=30s'), 'said\n');
    await stand.kubectl('delete', 'pod', 'brief', '--wait', '--timeout=60s');
    await stand.restoreLink();
  });

  for (const transport of ['mqtt', 'grpc'] as const) {
    await t.test(
      `two agents with one identity over ${transport}: they take turns, and nothing breaks`,
      async (t) => {
        await stand.agent.end();
        const settings = (dir: string) => [
          ...['--data-dir', join(stand.dir, dir), '--run-dir', join(stand.dir, `${dir}-run`)],
          ...['--node-name', stand.node, '--docker-host', engine.host, '--transport', transport],
        ];
        const copy = `copy-${transport}`;
        cpSync(stand.agentDir, join(stand.dir, copy), { recursive: true });
        const agents = ['agent', copy].map((dir) => new Program('agent/main.ts', ['run', ...settings(dir)]));
        t.teardown(() => Promise.all(agents.map((agent) => agent.end('SIGKILL'))));
        const turns = (agent: Program) =>
          agent.lines.filter((line) => line.includes('connected to the hub')).length;
        await until(
          'each has had a turn after the other',
          () => agents.every((agent) => turns(agent) >= 2),
          RECONNECT_MS,
        );
        t.ok(agents.every((agent) => agent.running));
        t.ok(stand.hub.running);
        t.equal(await pods.id('steady'), steady, 'what runs goes on running');
        await agents[1]?.end();
        await nodeReady('True');
        await until(
          'the one that is left works',
          async () => (await stand.kubectl('logs', 'steady', '--request-timeout=30s')) === 'begun\n',
          RECONNECT_MS,
        );
        await agents[0]?.end();
        const said = stand.hub.lines.length;
        await stand.startAgent();
        await stand.hub.line(/node connected/, said);
      },
    );
  }

  await t.test('a Node whose agent is gone is not ready, until it is back', async (t) => {
    await nodeReady('True');
    await stand.agent.end('SIGKILL');
    const lost = await nodeReady('Unknown');
    t.equal(lost.reason, 'NodeStatusUnknown');
    t.match(await stand.kubectl('get', 'node', stand.node), new RegExp(`${stand.node} +NotReady`));
    t.match((await node()).spec.taints?.map(({ key, effect }) => `${key}:${effect}`).sort(), [
      'node.kubernetes.io/unreachable:NoExecute',
      'node.kubernetes.io/unreachable:NoSchedule',
    ]);
    await until('its pods are not ready', async () => !(await pods.isReady('steady')));
    t.equal(await pods.id('steady'), steady, 'though they run');
    await stand.startAgent();
    await nodeReady('True');
    await until('the taints are gone', async () => ((await node()).spec.taints ?? []).length === 0);
    await pods.ready('steady');
    t.equal(await pods.id('steady'), steady);
    t.equal((await pods.container('steady'))?.restartCount, 0);
  });

  for (const transport of ['mqtt', 'grpc'] as const) {
    await t.test(`a Node that is deleted while its device is connected over ${transport}`, async (t) => {
      await stand.agent.end();
      const agent = stand.runAgent('run', '--transport', transport);
      t.teardown(() => agent.end());
      await agent.line(/connected to the hub/);
      await nodeReady('True');
      await stand.apply(podOf('leaves', { main: { command: shell(WORK) } }));
      await pods.ready('leaves');
      const before = (await node()).metadata.uid;
      const said = agent.lines.length;
      await stand.kubectl('delete', 'node', stand.node, '--wait=false');
      await agent.line(/the Node of this device was deleted/, said);
      await agent.line(/connected to the hub/, said);
      await nodeReady('True');
      t.not((await node()).metadata.uid, before, 'the device has registered anew');
      await stand.kubectl('delete', 'pod', 'leaves', '--wait', '--timeout=60s');
      t.equal(await pods.id('steady'), steady, 'what runs goes on running');
    });
  }

  await t.test('a device that is set up anew under its name takes its pods over', async (t) => {
    await stand.agent.end();
    const before = await node();
    await stand.kubectl('delete', 'node', stand.node, '--wait', '--timeout=60s');
    await stand.addDevice(stand.node, 'anew');
    await nodeReady('True');
    t.not((await node()).metadata.uid, before.metadata.uid, 'it is another Node');
    await pods.ready('steady');
    t.equal(await pods.id('steady'), steady, 'its container was adopted');
    await stand.apply(podOf('next', { main: { command: shell(`echo new; ${WORK}`) } }));
    await pods.ready('next');
    t.equal(await stand.kubectl('logs', 'next', '--request-timeout=30s'), 'new\n');

    await stand.startAgent(); // with the identity of before
    const answer = await stand.agent.line(/connected to the hub|no connection to the hub/);
    t.match(answer, /no connection to the hub/, 'the device that it replaced is refused');
    t.ok(stand.agent.running);
    t.equal(await pods.id('steady'), steady, 'what runs there goes on running');
    await nodeReady('True');
  });
});
