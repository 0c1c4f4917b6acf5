import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import t, { type Test } from 'tap';
import { Engine } from '../support/engine.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { podOf } from '../support/pods.ts';
import { Program } from '../support/program.ts';
import { Stand } from '../support/stand.ts';

/* Bundles of a hub and of a device that know secrets: all that is needed is in them, and no secret. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const PASSWORD = 'correct-horse-battery';

t.test('support bundles have what is needed, and no secrets', async (t) => {
  const stand = new Stand(engine, 'mqtt', 'support-bundle');
  t.teardown(() => stand.close());
  await stand.start();
  await makeAppImages(engine, [1]);
  const token = await stand.token();
  await stand.apply({
    ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: 'default' } },
    stringData: { password: PASSWORD, token },
  });
  const main = { command: ['sh', '-c', WORK], env: [{ name: 'DATABASE', value: `db:${PASSWORD}` }] };
  await stand.apply(podOf('inside', { main }, { nodeName: stand.node }));
  await stand.kubectl('wait', '--for=condition=Ready', 'pod/inside', '--timeout=60s');

  const dir = t.testdir();
  const hubFile = join(dir, 'hub.tar.gz');
  const hub = new Program('hub/main.ts', ['support-bundle', hubFile, '--kubeconfig', stand.kubeconfig]);
  t.equal(await hub.exit(), 0, hub.lines.join());
  const ofHub = unpacked(t, hubFile);
  t.match(JSON.parse(ofHub.get('objects/nodes.json') ?? ''), { items: [{ metadata: { name: stand.node } }] });
  t.match(JSON.parse(ofHub.get('objects/pods.json') ?? ''), { items: [{ metadata: { name: 'inside' } }] });
  t.match(ofHub.get('metrics.txt'), /apiserver_request_total/);
  t.ok(ofHub.has('doctor.json') && ofHub.has('hub.log'));

  const agentFile = join(dir, 'agent.tar.gz');
  const agent = stand.runAgent('support-bundle', agentFile);
  t.equal(await agent.exit(), 0, agent.lines.join());
  const ofAgent = unpacked(t, agentFile);
  t.match(JSON.parse(ofAgent.get('status.json') ?? ''), {
    node: stand.node,
    connected: true,
    pods: [{ name: 'inside' }],
  });
  const containers = JSON.parse(ofAgent.get('engine/containers.json') ?? '') as Docker.ContainerInfo[];
  const ofPod = containers.filter(({ Labels }) => Labels['holdfast.dev/node'] === stand.node);
  t.ok(ofPod.length > 0 && ofPod.every(({ State }) => State === 'running'), 'with what it runs');
  t.match(JSON.parse(ofAgent.get('doctor.json') ?? '')[0], { check: 'settings', level: 'ok' });

  const secrets = [
    PASSWORD,
    Buffer.from(PASSWORD).toString('base64'),
    token,
    token.slice(-32),
    'PRIVATE KEY-----',
  ];
  for (const [path, text] of [...ofHub, ...ofAgent])
    for (const secret of secrets) if (text.includes(secret)) t.fail(`${path} has "${secret}"`);

  await stand.agent.end();
  const without = stand.runAgent('support-bundle', agentFile);
  t.equal(await without.exit(), 0, 'one is made where nothing works');
  t.match(unpacked(t, agentFile).get('status.json'), /It could not be collected: no agent answers/);
});

function unpacked(t: Test, file: string): Map<string, string> {
  t.equal(statSync(file).mode & 0o777, 0o600);
  const dir = `${file}.unpacked`;
  mkdirSync(dir, { recursive: true });
  execFileSync('tar', ['-xzf', file, '-C', dir]);
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(dir.length + 1), readFileSync(path, 'utf8')];
    }),
  );
}
