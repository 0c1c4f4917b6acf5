import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { makeRelease } from '../support/agent-release.ts';
import { agentPackage, releaseKey } from '../support/device-hub.ts';
import { Engine } from '../support/engine.ts';
import { Holdfast } from '../support/holdfast.ts';
import { HubProgram } from '../support/hub-program.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { ScratchDevice } from '../support/scratch-device.ts';
import { until } from '../support/until.ts';

/* One line on a device, and what comes after it in its life: real hub, real package, real engine, a directory as the root. */

const NODE = 'install-device';
const TICKS_PER_SECOND = 100;
const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const hub = new HubProgram();
await hub.start();
t.teardown(() => hub.close());
await hub.packages.add(await agentPackage(), releaseKey());
await makeAppImages(engine, [1], 'install');
const device = new ScratchDevice(NODE, hub);
await engine.removeAllOf(NODE); // of a run that was cut off
t.teardown(() => device.close());
const pristine = device.files();

const node = async (name = NODE) => {
  const { status } = await hub.api.call<{
    status: { conditions: { type: string; status: string }[]; nodeInfo: { kubeletVersion: string } };
  }>('GET', `/api/v1/nodes/${name}`);
  return {
    ready: status.conditions?.find(({ type }) => type === 'Ready')?.status,
    version: status.nodeInfo?.kubeletVersion,
  };
};
const running = async () => (await engine.containers(NODE)).map(({ id }) => id);
const identity = () => readFileSync(device.at('var/lib/holdfast/agent/identity.json'), 'utf8');

async function runPod(): Promise<readonly string[]> {
  await hub.api.call('POST', '/api/v1/namespaces/default/pods', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'app', namespace: 'default' },
    spec: {
      nodeName: NODE,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: appImage(1, 'install'), command: ['sh', '-c', WORK] }],
    },
  });
  return until('the pod runs', async () => {
    const found = await running();
    return found.length > 0 ? found : undefined;
  });
}

t.test('what would be done can be looked at first', async (t) => {
  const { code, out, err } = await device.install({
    flags: ['--dry-run'],
    env: { HOLDFAST_TOKEN: await hub.token() },
  });
  t.same([code, err], [0, []]);
  t.match(
    out,
    /would download holdfast-agent-.*\nwould link .*\nwould keep .*\nwould write .*agent\.yaml\nwould write .*supervise \(plain\)\nwould join the hub at 127\.0\.0\.1:\d+\n.*\n.*\nnothing was changed\n$/,
  );
  t.same(device.files(), pristine);
});

let containers: readonly string[] = [];

t.test('one line: the device is a node, and runs a pod', async (t) => {
  const token = await hub.token();
  const [startedMs, cpuBefore] = [performance.now(), cpuOfChildren()];
  const { code, out, err } = await device.install({ env: { HOLDFAST_TOKEN: token } });
  t.same([code, err], [0, []], out);
  const seconds = (performance.now() - startedMs) / 1000;
  t.match(out, new RegExp(`and ${NODE} is connected to 127\\.0\\.0\\.1\\n[\\s\\S]*holdfast-agent status`));
  t.comment(`installed in ${seconds.toFixed(1)} s; ${(cpuOfChildren() - cpuBefore).toFixed(1)} s of CPU`);
  const returnedMs = performance.now();
  await until('the hub has heard of it', async () => (await node()).ready === 'True');
  t.comment(`Ready at the hub ${(performance.now() - returnedMs).toFixed(0)} ms after it returned`);
  t.notOk(existsSync(device.at('etc/holdfast/join.yaml')), 'the token is gone');
  const everything = Object.keys(device.files()).filter((path) => statSync(device.at(path)).isFile());
  for (const path of everything.filter((each) => !each.includes('/lib/')))
    t.notOk(readFileSync(device.at(path), 'utf8').includes(token), `no token in ${path}`);
  t.notMatch(readFileSync(`/proc/${device.supervisor}/environ`, 'utf8'), /HF1/, 'nor around the processes');
  containers = await runPod();
});

t.test('the same line again changes nothing, and restarts nothing', async (t) => {
  const without = ['var/lib/holdfast/agent', 'run', 'var/log'];
  const [before, supervisor, log] = [
    device.files({ exact: true, without }),
    device.supervisor,
    logOf(device),
  ];
  for (const env of [{}, { HOLDFAST_TOKEN: await hub.token() }]) {
    const { code, out, err } = await device.install({ env });
    t.same([code, err], [0, []]);
    t.match(out, /is installed and runs: nothing was changed\n$/);
  }
  const after = device.files({ exact: true, without });
  delete after['usr/local/lib/holdfast-agent']; // in which the script works
  delete before['usr/local/lib/holdfast-agent'];
  t.same(after, before);
  t.equal(device.supervisor, supervisor);
  t.equal(logOf(device), log, 'the agent has seen nothing of it');
  t.same(await running(), containers);
});

t.test('what the owner wrote stays', async (t) => {
  const file = device.at('etc/holdfast/agent.yaml');
  writeFileSync(file, `${readFileSync(file, 'utf8')}logLevel: debug # mine`);
  const before = readFileSync(file, 'utf8');
  t.match(await device.install(), { code: 0 });
  t.equal(readFileSync(file, 'utf8'), before);
});

t.test('another version: the agent changes, the containers do not know', async (t) => {
  const release = await makeRelease(t.testdir(), '0.2.0');
  await hub.packages.add(release, releaseKey());
  const who = identity();
  const { code, out, err } = await device.install();
  t.same([code, err], [0, []]);
  t.match(out, new RegExp(`holdfast-agent 0\\.2\\.0 is installed, and ${NODE} is connected`));
  await until('the hub knows', async () => (await node()).version === 'v0.2.0');
  t.same(await running(), containers);
  t.equal(identity(), who);
});

t.test('a release that does not run is taken back, and the one before runs again', async (t) => {
  const crashing = await makeRelease(t.testdir(), '0.3.0', (home) => {
    const launcher = join(home, 'bin/holdfast-agent');
    const text = readFileSync(launcher, 'utf8');
    const broken = 'if [ "$1" = run ]; then echo "it is broken" >&2; exit 1; fi\n';
    writeFileSync(launcher, text.replace('#!/bin/sh\n', `#!/bin/sh\n${broken}`));
  });
  const { name } = await hub.packages.add(crashing, releaseKey());
  t.teardown(() => hub.packages.remove(name));
  const without = ['var/lib/holdfast/agent', 'run', 'var/log'];
  const before = device.files({ without });
  const { code, err } = await device.install();
  t.equal(code, 1);
  t.same(err, ['install.sh: the agent does not start: it is broken']);
  t.same(device.files({ without }), before);
  await until('the one before is back', async () =>
    (await device.agent('status')).out.includes('connected to'),
  );
  t.equal((await node()).version, 'v0.2.0');
  t.same(await running(), containers);
  t.match(await device.install({ flags: ['--version', '0.2.0'] }), { code: 0, out: /nothing was changed/ });
});

t.test('it leaves as easily as it came', async (t) => {
  const before = device.files();
  const dry = await device.uninstall('--dry-run');
  t.match(
    dry.out,
    /would stop the agent \(process \d+\)\n[\s\S]*would remove .*agent\n[\s\S]*nothing was changed/,
  );
  t.same(device.files({ without: ['var/log', 'var/lib'] }), without(before, ['var/log', 'var/lib']));
  const { supervisor } = device;
  const { code, out, err } = await device.uninstall();
  t.same([code, err], [0, []]);
  t.match(
    out,
    new RegExp(
      `holdfast-agent is removed\n.*docker rm -f.*node=${NODE}.*\nOn the hub: kubectl delete node ${NODE}`,
    ),
  );
  t.same(device.files(), pristine);
  t.notOk(readCommand(supervisor), 'nothing runs');
  t.same(await running(), containers, 'containers go on');
  t.match(await device.uninstall(), { code: 0, out: /there is nothing to remove/ });
});

t.test('a token that asks for approval: the service goes on waiting', async (t) => {
  await hub.api.call('DELETE', `/api/v1/nodes/${NODE}`);
  const token = await hub.token({ approval: 'manual' });
  const { code, out } = await device.install({ env: { HOLDFAST_TOKEN: token } });
  t.equal(code, 0, out);
  t.match(out, `${NODE} waits for approval. On the hub: holdfast node approve ${NODE}`);
  t.match(await new Holdfast(hub.kubeconfig).run(`node approve ${NODE}`), { code: 0 });
  await until('it is a node', async () => (await node()).ready === 'True');
  t.notOk(existsSync(device.at('etc/holdfast/join.yaml')));
});

t.test('with its containers, if that is wanted; and its data kept, if that is', async (t) => {
  const found = await until('the pod was taken over', async () => {
    const ids = await running();
    return ids.length > 0 ? ids : undefined;
  });
  t.ok(found.length > 0);
  t.match(await device.uninstall('--containers', '--keep-data'), {
    code: 0,
    out: /containers? of install-device removed/,
  });
  t.same(await engine.containers(NODE, { all: true }), []);
  t.ok(existsSync(device.at('var/lib/holdfast/agent/identity.json')));
  t.match(await device.install(), { code: 0 }, 'it needs no token');
  await until('the same device is back', async () => (await node()).ready === 'True');
});

const logOf = (of: ScratchDevice) => readFileSync(of.at('var/log/holdfast-agent.log'), 'utf8');

function without(files: Record<string, string>, paths: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files).filter(
      ([path]) => !paths.some((each) => path === each || dirname(path).startsWith(each)),
    ),
  );
}

/** Empty once it has ended. */
function readCommand(pid: number): string {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** Of all programs that this one has started and that have ended. */
function cpuOfChildren(): number {
  const [, rest = ''] = readFileSync('/proc/self/stat', 'utf8').split(') ');
  const [user = 0, system = 0] = rest.split(' ').slice(13, 15).map(Number);
  return (user + system) / TICKS_PER_SECOND;
}
