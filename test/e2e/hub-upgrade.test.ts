import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import Database from 'better-sqlite3';
import t, { type Test } from 'tap';
import { ApiClient } from '../../hub/cli/api-client.ts';
import { kubectlPath } from '../../scripts/kubectl.ts';
import { Engine } from '../support/engine.ts';
import { makeAppImages } from '../support/images.ts';
import { Program } from '../support/program.ts';
import { until } from '../support/until.ts';

/*
 * Data directories as older versions of hub and agent have left them (recorded/, each with the date and the version's newest
 * subject): today's programs take them over as they are. Each has a namespace "shop" with a Deployment in its second
 * revision, a DaemonSet, a ConfigMap and a Secret, and a device that runs them.
 */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const RECORDED = globSync(join(import.meta.dirname, 'recorded/*.tar.gz'));

interface PodSeen {
  readonly metadata: { readonly name: string; readonly uid: string };
}

t.test('there are recordings', async (t) => t.ok(RECORDED.length >= 3));

for (const archive of RECORDED) {
  t.test(`upgraded in place: ${basename(archive, '.tar.gz')}`, async (t) => {
    const dir = unpacked(t, archive);
    const node = (JSON.parse(readFileSync(join(dir, 'agent/identity.json'), 'utf8')) as { node: string })
      .node;
    t.teardown(() => engine.removeAllOf(node));
    await makeAppImages(engine, [1]);
    const hub = startHub(t, dir);
    const ports = JSON.parse(await hub.line(/the hub is ready/)) as { grpc: number; mqtt: number };
    const kubeconfig = join(dir, 'hub/kubeconfig.yaml');
    const api = ApiClient.fromKubeconfig(kubeconfig);
    const kubectl = async (...args: string[]) =>
      execFileSync(await kubectlPath(), ['--namespace', 'shop', ...args], {
        encoding: 'utf8',
        env: { ...process.env, KUBECONFIG: kubeconfig },
      });
    t.equal(await kubectl('get', 'configmap', 'settings', '-o', 'jsonpath={.data.color}'), 'blue');
    t.equal(await kubectl('get', 'secret', 'keys', '-o', 'jsonpath={.data.password}'), 'aHVudGVyMg==');
    t.match(await kubectl('rollout', 'history', 'deployment/web'), /\n1 .*\n2 /);
    const pods = async () =>
      (await api.call<{ items: PodSeen[] }>('GET', '/api/v1/namespaces/shop/pods')).items.filter(
        ({ metadata }) => !('deletionTimestamp' in metadata),
      );
    const before = (await pods()).map(({ metadata }) => metadata.uid).sort();
    t.equal(before.length, 3);

    moveHub(join(dir, 'agent'), ports);
    const agent = new Program('agent/main.ts', [
      ...['run', '--data-dir', join(dir, 'agent'), '--run-dir', join(dir, 'run')],
      ...['--docker-host', engine.host],
    ]);
    t.teardown(() => agent.end('SIGKILL'));
    await agent.line(/connected to the hub/);
    await kubectl('wait', 'node', node, '--for=condition=Ready', '--timeout=60s');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    await kubectl('rollout', 'status', 'daemonset/everywhere', '--timeout=60s');
    t.same((await pods()).map(({ metadata }) => metadata.uid).sort(), before, 'the same pods as before');

    await kubectl('rollout', 'undo', 'deployment/web');
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    const [name] = (await kubectl('get', 'pods', '-l', 'app=web', '-o', 'name')).split('\n');
    t.notMatch(await kubectl('get', name ?? '', '-o', 'yaml'), 'VERSION', 'and on they go from there');
    await kubectl('delete', 'deployment,daemonset', '--all', '--wait');
    await until('nothing is left', async () => (await pods()).length === 0);
  });
}

t.test('a database of a newer hub is refused in a sentence, and left as it is', async (t) => {
  const dir = unpacked(t, RECORDED[0] ?? '');
  const file = join(dir, 'hub/hub.db');
  const db = new Database(file);
  db.pragma('user_version = 99');
  db.close();
  const content = readFileSync(file);
  const hub = startHub(t, dir);
  t.equal(await hub.exit(), 1);
  t.match(
    hub.lines.join('\n'),
    /a newer hub has written it: start that one again, or restore a backup from before it\n {2}because: it has schema 99/,
  );
  t.ok(readFileSync(file).equals(content));
});

function unpacked(t: Test, archive: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'hf-upgrade-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  execFileSync('tar', ['-xzf', archive, '-C', dir]);
  return dir;
}

function startHub(t: Test, dir: string): Program {
  const hub = new Program('hub/main.ts', [
    ...['hub', '--data-dir', join(dir, 'hub'), '--bind-address', '127.0.0.1'],
    ...['--api-port', '0', '--grpc-port', '0', '--mqtt-port', '0'],
  ]);
  t.teardown(() => hub.end('SIGKILL'));
  return hub;
}

/** The ports that the recorded hub had may be somebody else's now: nothing else of the device's memory is changed. */
function moveHub(agentDir: string, { grpc, mqtt }: { grpc: number; mqtt: number }): void {
  const move = (text: string) => {
    const identity = JSON.parse(text) as { hub: { grpcPort: number; mqttPort: number } };
    identity.hub = { ...identity.hub, grpcPort: grpc, mqttPort: mqtt };
    return JSON.stringify(identity);
  };
  const file = join(agentDir, 'identity.json');
  writeFileSync(file, move(readFileSync(file, 'utf8')));
  const db = new Database(join(agentDir, 'agent.db'));
  const { json } = db.prepare<[], { json: string }>('SELECT json FROM identity').get() ?? { json: '' };
  db.prepare('UPDATE identity SET json = ?').run(move(json));
  db.close();
}
