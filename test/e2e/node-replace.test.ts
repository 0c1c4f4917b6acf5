import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { linksOf } from '../../agent/device.ts';
import { enrol } from '../../agent/link/enrol.ts';
import type { Identity } from '../../agent/state/agent-state.ts';
import { parseJoinToken } from '../../proto/join-token.ts';
import { Engine } from '../support/engine.ts';
import { Holdfast } from '../support/holdfast.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { SeenPods, shell } from '../support/pods.ts';
import { Program } from '../support/program.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* A broken device's place is taken by a new one: real hub, real agents, one engine that stands for both machines. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const NODE = 'device-replace';

for (const transport of ['mqtt', 'grpc'] as const)
  t.test(`a new device takes a node's place, over ${transport}`, async (t) => {
    const node = `${NODE}-${transport}`;
    const stand = new Stand(engine, transport, node);
    t.teardown(() => stand.close());
    await makeAppImages(engine, [1]);
    await stand.start();
    const holdfast = new Holdfast(stand.kubeconfig);
    const pods = new SeenPods(stand);
    const nodeNow = () =>
      stand.api.call<{ metadata: { uid: string; labels: object }; spec: object }>(
        'GET',
        `/api/v1/nodes/${node}`,
      );
    await stand.kubectl('label', 'node', node, 'site=berlin');
    await stand.kubectl('taint', 'node', node, 'for=presses:NoSchedule');
    await stand.kubectl('create', 'secret', 'generic', 'password', '--from-literal=value=secret');
    const env = [{ name: 'VALUE', valueFrom: { secretKeyRef: { name: 'password', key: 'value' } } }];
    await stand.apply({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'app' },
      spec: {
        selector: { matchLabels: { app: 'app' } },
        template: {
          metadata: { labels: { app: 'app' } },
          spec: {
            terminationGracePeriodSeconds: 0,
            tolerations: [{ operator: 'Exists' }],
            containers: [
              { name: 'main', image: 'holdfast.test/app:1', command: shell(`echo $VALUE; ${WORK}`), env },
            ],
          },
        },
      },
    });
    const { name, uid } = await until('there is a pod', async () => {
      const { items } = await stand.api.call<{ items: { metadata: { name: string; uid: string } }[] }>(
        'GET',
        '/api/v1/namespaces/default/pods',
      );
      return items[0]?.metadata;
    });
    await pods.ready(name);
    const before = await nodeNow();
    const container = await pods.id(name);

    const ordinary = parseJoinToken(await stand.token());
    const at = { host: '127.0.0.1', port: stand.ports.grpc };
    await t.rejects(enrol({ ...at, node, token: ordinary }), /holdfast node replace/, 'the name is taken');

    const made = await holdfast.run(`node replace ${node}`);
    t.match(made, { code: 0, err: /is connected: its device is refused once the new one has joined/ });
    const token = parseJoinToken(made.out);
    await t.rejects(enrol({ ...at, node: 'another', token }), /is for node ".*" only/);
    const second = parseJoinToken((await holdfast.run(`node replace ${node}`)).out);

    const said = stand.agent.lines.length;
    const oldIdentity = JSON.parse(readFileSync(join(stand.agentDir, 'identity.json'), 'utf8')) as Identity;
    const agent = (command: string) =>
      new Program(
        'agent/main.ts',
        [
          ...[command, '--data-dir', join(stand.dir, 'new'), '--run-dir', join(stand.dir, 'new-run')],
          ...['--node-name', node, '--docker-host', engine.host, '--transport', transport],
          ...['--hub', `127.0.0.1:${stand.ports.grpc}`],
        ],
        { HOLDFAST_TOKEN: made.out.trim() },
      );
    t.equal(await agent('join').exit(), 0);
    await stand.agent.line(/no connection to the hub/, said);
    const refusal = /UNAUTHENTICATED|Not authorized/;
    await t.rejects(connect(oldIdentity, transport), refusal, 'the old certificate is good for nothing');

    // One engine stands for both machines: the old one takes with it what ran there.
    await stand.agent.end('SIGKILL');
    await engine.removeAllOf(node);
    const joined = agent('run');
    t.teardown(() => joined.end('SIGKILL'));
    await joined.line(/took a new desired state/);
    await pods.when('runs anew', name, ({ containerID }) => containerID && !containerID.includes(container));
    await pods.ready(name);
    const after = await nodeNow();
    t.equal(after.metadata.uid, before.metadata.uid, 'the same Node');
    t.match(after.metadata.labels, { site: 'berlin' });
    t.same(after.spec, before.spec, 'with its taints');
    t.equal((await pods.get(name)).metadata?.uid, uid, 'and its pod');
    t.equal(await stand.kubectl('logs', name), 'secret\n', 'secrets are sealed to the new device');
    t.notOk(
      joined.lines.some((line) => line.includes('refused a snapshot')),
      'which was never sent what it cannot read',
    );

    await t.rejects(enrol({ ...at, node, token }), /used as often/, 'one use');
    await t.rejects(enrol({ ...at, node, token: second }), /has had another device since/);

    await holdfast.run(`node revoke ${node}`);
    const third = parseJoinToken((await holdfast.run(`node replace ${node}`)).out);
    t.match(await enrol({ ...at, node, token: third }), { node }, 'also when the access was revoked');
  });

async function connect(identity: Identity, transport: 'mqtt' | 'grpc'): Promise<void> {
  const [load] = linksOf(transport, identity);
  const link = await load?.();
  const connection = await link?.open(
    'old',
    { onMessage: () => {}, onGarbage: () => {} },
    AbortSignal.timeout(10_000),
  );
  const error = await connection?.closed;
  throw error ?? new Error('there is no link');
}
