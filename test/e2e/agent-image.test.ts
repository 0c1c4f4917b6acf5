import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ensureDebianImage } from '../../scripts/debian-image.ts';
import { Engine } from '../support/engine.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { podOf } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* The images that the Dockerfiles make, from packages and a base of Debian's packages; arm64 is emulated. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const docker = (...args: string[]) =>
  execFileSync('docker', ['--host', engine.host, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });

async function build(tag: string, arch: 'amd64' | 'arm64', file: string, ...more: string[]): Promise<string> {
  const base = `holdfast.test/debian-${arch}:12`;
  await ensureDebianImage(engine.host, base, arch);
  docker('build', '-q', '-f', file, '--build-arg', `BASE=${base}`, '-t', tag, ...more, '.');
  return tag;
}

t.test(
  'Dockerfile.arm64: the agent enrols, runs a container and reports, with a read-only root',
  async (t) => {
    const image = await build('holdfast.test/agent-image:arm64', 'arm64', 'Dockerfile.arm64');
    t.equal(docker('image', 'inspect', image, '--format', '{{.Architecture}}').trim(), 'arm64');
    const stand = new Stand(engine, 'mqtt', 'agent-image');
    t.teardown(() => stand.close());
    await stand.startHub();
    await makeAppImages(engine, [1], 'agent-image-app');
    mkdirSync(stand.agentDir);
    const token = join(stand.agentDir, 'token');
    writeFileSync(token, await stand.token(), { mode: 0o600 });
    const settings = {
      ...{ HOLDFAST_HUB: `127.0.0.1:${stand.ports.grpc}`, HOLDFAST_TOKEN_FILE: token },
      ...{ HOLDFAST_AGENT_DATA_DIR: stand.agentDir, HOLDFAST_AGENT_RUN_DIR: stand.runDir },
      ...{ HOLDFAST_NODE_NAME: stand.node, DOCKER_HOST: 'unix:///var/run/docker.sock' },
    };
    const socket = engine.host.replace('unix://', '');
    const container = docker(
      ...['run', '--detach', '--read-only', '--tmpfs', '/tmp', '--network', 'host', '--pid', 'host'],
      ...['--health-interval', '1s', '--volume', `${socket}:/var/run/docker.sock`],
      ...['--volume', `${stand.agentDir}:${stand.agentDir}`, '--volume', `${stand.runDir}:${stand.runDir}`],
      ...Object.entries(settings).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      image,
    ).trim();
    t.teardown(() => docker('rm', '--force', container));
    try {
      await until('it is a node', async () => {
        const found = await stand.kubectl('get', 'node', stand.node, '--no-headers').catch(() => '');
        return /\bReady\b/.test(found);
      });
      const facts = ['get', 'node', stand.node, '-o', 'jsonpath={.status.nodeInfo.architecture}'];
      t.equal(await stand.kubectl(...facts), 'arm64', 'it speaks as what it is');
      const volumes = [{ name: 'shared', emptyDir: {} }];
      const main = {
        image: 'holdfast.test/agent-image-app:1',
        command: ['sh', '-c', `echo written > /shared/file; ${WORK}`],
        volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
      };
      await stand.apply(podOf('inside', { main }, { volumes, nodeName: stand.node }));
      await stand.kubectl('wait', '--for=condition=Ready', 'pod/inside', '--timeout=80s');
      const { uid } = (
        await stand.api.call<{ metadata: { uid: string } }>('GET', '/api/v1/namespaces/default/pods/inside')
      ).metadata;
      t.equal(
        execFileSync('cat', [join(stand.agentDir, `pods/${uid}/volumes/shared/file`)]).toString(),
        'written\n',
      );
      await until('the image says that it is well', () => {
        const format = '{{.State.Health.Status}}';
        return docker('inspect', '--format', format, container).trim() === 'healthy';
      });
      await stand.kubectl('delete', 'pod', 'inside', '--wait', '--timeout=60s');
    } catch (error) {
      const { stdout, stderr } = spawnSync('docker', ['logs', '--tail', '40', container], {
        encoding: 'utf8',
      });
      t.comment(stdout, stderr);
      throw error;
    }
  },
);

t.test('Dockerfile: the agent and the hub for amd64, the hub without root', async (t) => {
  const agent = await build('holdfast.test/agent-image:amd64', 'amd64', 'Dockerfile', '--target', 'agent');
  const help = spawnSync('docker', ['--host', engine.host, 'run', '--rm', '--read-only', agent, 'help'], {
    encoding: 'utf8',
  });
  t.match(help, { status: 0, stdout: /holdfast-agent COMMAND/ });
  const hub = await build('holdfast.test/hub-image:amd64', 'amd64', 'Dockerfile', '--target', 'hub');
  const container = docker(
    ...['run', '--detach', '--read-only', '--tmpfs', '/tmp', '--network', 'none'],
    ...['--volume', '/var/lib/holdfast/hub', hub],
  ).trim();
  t.teardown(() => docker('rm', '--force', '--volumes', container));
  const said = await until('it is ready', () => {
    const logs = docker('logs', container);
    return /the hub is ready/.test(logs) ? logs : undefined;
  });
  t.match(said, '"mqtt":8883');
  const kubeconfig = ['--kubeconfig', '/var/lib/holdfast/hub/kubeconfig.yaml'];
  t.match(docker('exec', container, 'holdfast', 'token', 'create', ...kubeconfig), /^HF1[0-9a-f]{64}::/);
});
