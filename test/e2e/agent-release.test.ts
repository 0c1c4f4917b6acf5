import { join } from 'node:path';
import t from 'tap';
import { MERGE_PATCH } from '../../hub/cli/api-client.ts';
import { AGENT_RELEASE_ANNOTATION } from '../../proto/agent-release.ts';
import { parsePublicKey } from '../../proto/minisign.ts';
import { AgentService } from '../support/agent-service.ts';
import { Engine } from '../support/engine.ts';
import { Holdfast } from '../support/holdfast.ts';
import { HubProgram } from '../support/hub-program.ts';
import { newSigningKey } from '../support/packages.ts';
import { first, type ReleaseMaking, Releases } from '../support/releases.ts';
import { until } from '../support/until.ts';

/* An AgentRelease by its policy, over three devices: real hub, real packages, real processes. */

const NODES = ['agent-release-1', 'agent-release-2', 'agent-release-3'] as const;
const LATE = 'agent-release-late';
const BASE = '0.1.0';
const RELEASES = '/apis/fleet.holdfast.dev/v1/namespaces/default/agentreleases';
const ROLLOUTS = '/apis/fleet.holdfast.dev/v1/namespaces/default/rollouts';
const ROWS = '/apis/fleet.holdfast.dev/v1/namespaces/default/deviceupdates';
const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const hub = new HubProgram();
const key = newSigningKey();
const releases = await Releases.of(key.publicKey);
const work = t.testdir({ base: {}, packages: {} });
const program = releases.install(join(work, 'base'), BASE);
const devices = NODES.map((name) => new AgentService(program, name));
t.teardown(async () => {
  await Promise.all(devices.map((device) => device.close()));
  await hub.close();
  for (const name of NODES) await engine.removeAllOf(name);
});
await hub.start();
const holdfast = new Holdfast(hub.kubeconfig);
for (const device of devices) {
  await device.join(hub.ports.grpc, await hub.token());
  device.start();
}
await Promise.all(devices.map((device) => device.line(/connected to the hub/)));

const publish = (making: ReleaseMaking) =>
  hub.packages.add(releases.write(join(work, 'packages'), key, making), parsePublicKey(key.publicKey));

interface NodeSeen {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly status: { readonly nodeInfo?: { readonly kubeletVersion: string } };
}

const nodes = () => Promise.all(NODES.map((name) => hub.api.call<NodeSeen>('GET', `/api/v1/nodes/${name}`)));
const versions = async () =>
  (await nodes()).map(({ status }) => status.nodeInfo?.kubeletVersion.replace(/^v/, ''));
const release = () =>
  hub.api.call<{ spec: { version: string }; status: { message?: string; devices: number; updated: number } }>(
    'GET',
    `${RELEASES}/fleet`,
  );
const goTo = (version: string) =>
  hub.api.call('PATCH', `${RELEASES}/fleet`, { spec: { version } }, { contentType: MERGE_PATCH });

interface Row {
  readonly spec: {
    node: string;
    step: string;
    reason?: string;
    message?: string;
    wave: string;
    rollout: string;
  };
}
const rows = async (of: readonly string[] = NODES) =>
  (await hub.api.call<{ items: Row[] }>('GET', ROWS)).items
    .map(({ spec }) => spec)
    .filter(({ node }) => of.includes(node))
    .sort((a, b) => (a.node < b.node ? -1 : 1));

function phase(rollout: string, wanted: RegExp, timeoutMs = 60_000) {
  let last: unknown;
  return until(
    `rollout ${rollout} is ${wanted}`,
    async () => {
      const found = await hub.api.find<{ status?: { phase?: string } }>(`${ROLLOUTS}/${rollout}`);
      last = found?.status;
      return wanted.test(found?.status?.phase ?? '');
    },
    timeoutMs,
  ).catch(async (error: Error) => {
    throw new Error(
      `${error.message}: ${JSON.stringify(last)}\n${JSON.stringify(await rows(), undefined, 1)}`,
    );
  });
}

await hub.api.call('POST', '/apis/fleet.holdfast.dev/v1/namespaces/default/rolloutpolicies', {
  apiVersion: 'fleet.holdfast.dev/v1',
  kind: 'RolloutPolicy',
  metadata: { name: 'agents', namespace: 'default' },
  spec: {
    stage: { maxConcurrent: 10 },
    waves: [{ name: 'canary', limit: 1 }],
    gates: { health: { minHealthy: '1s', minAttempted: 1, successThreshold: '100%' } },
    deadline: { perDeviceApply: '20s' },
    onFail: 'undo',
  },
});

await until('all have said what they run', async () => (await versions()).every(Boolean));

t.test('nothing begins without the packages', async (t) => {
  await hub.api.call('POST', RELEASES, {
    apiVersion: 'fleet.holdfast.dev/v1',
    kind: 'AgentRelease',
    metadata: { name: 'fleet', namespace: 'default' },
    spec: { version: '0.2.0', policy: 'agents' },
  });
  await until('it is told', async () => (await release()).status?.message);
  const { status } = await release();
  t.equal(
    status.message,
    'the hub has no package of the agent 0.2.0 for amd64 (3 devices): add it with "holdfast packages add holdfast-agent-0.2.0-linux-amd64.tar.gz"',
  );
  const told = await holdfast.run('rollout status ar/fleet --timeout 5s');
  t.match(told.err, /AgentRelease "fleet" waits: the hub has no package of the agent 0\.2\.0 for amd64/);
  t.not(told.code, 0);
});

t.test('with them it goes by waves, each device by itself', async (t) => {
  await publish({ version: '0.2.0' });
  await phase('agent-fleet-2', /Succeeded/, 90_000);
  t.same(await versions(), ['0.2.0', '0.2.0', '0.2.0']);
  const all = await rows();
  t.same(
    all.map(({ step, reason }) => `${step} ${reason}`),
    ['Succeeded Connected', 'Succeeded Connected', 'Succeeded Connected'],
  );
  t.same(all.map(({ wave }) => wave).filter((wave) => wave === 'canary').length, 1);
  await until('it is counted', async () => (await release()).status.updated === 3);
  await until('nothing is asked any more', async () =>
    (await nodes()).every(({ metadata }) => metadata.annotations?.[AGENT_RELEASE_ANNOTATION] === undefined),
  );
  const { out, code } = await holdfast.run('rollout status ar/fleet');
  t.equal(code, 0);
  t.match(out, /AgentRelease fleet/);
  t.match((await holdfast.run('rollout history ar/fleet')).out, /agent-fleet-2 .*0\.2\.0[\s\S]*0\.1\.0/);
  t.match((await holdfast.run(`rollout explain ${NODES[0]} ar/fleet`)).out, /^agent-release-1 /);
});

t.test('a device that joins later follows', async (t) => {
  const late = new AgentService(program, LATE);
  t.teardown(async () => {
    await late.close();
    await hub.api.call('DELETE', `/api/v1/nodes/${LATE}`);
    await engine.removeAllOf(LATE);
  });
  await late.join(hub.ports.grpc, await hub.token());
  late.start();
  await late.line(/the new version is confirmed/);
  await until('it has it', async () =>
    (await rows([LATE])).some(({ node, step }) => node === LATE && step === 'Succeeded'),
  );
});

t.test('a bad one stops at the first device, and the fleet stays as it was', async (t) => {
  await publish({ version: '0.3.0', program: first('process.exit(3);') });
  await goTo('0.3.0');
  await phase('agent-fleet-3', /Undone/, 90_000);
  const { reason } = (await rows()).find(({ step }) => step === 'Rejected') ?? {};
  await until(
    'the release says the version of before',
    async () => (await release()).spec.version === '0.2.0',
  );
  await phase('agent-fleet-4', /Succeeded/, 60_000);
  t.same(await versions(), ['0.2.0', '0.2.0', '0.2.0']);
  t.ok(reason === undefined || reason === 'Crashed', `${reason}`);
  const events = await hub.api.call<{ items: { reason: string; message: string }[] }>(
    'GET',
    '/api/v1/namespaces/default/events',
  );
  const rejected = events.items.filter((event) => event.reason === 'AgentUpdateRejected');
  t.equal(rejected.length, 1, 'only one device has tried it');
  t.match(rejected[0]?.message, /^Crashed: it ended 3 times .* the device went back to 0\.2\.0$/);
});

t.test('an older version is a change as any other', async (t) => {
  await goTo(BASE);
  await until('all run it', async () => (await versions()).every((version) => version === BASE), 90_000);
  await until('it is over', async () => (await rows()).every(({ step }) => step === 'Succeeded'));
  t.same(
    (await rows()).map(({ step }) => step),
    ['Succeeded', 'Succeeded', 'Succeeded'],
  );
});

t.test('a release that goes asks nobody any more', async (t) => {
  await hub.api.call('DELETE', `${RELEASES}/fleet`);
  await until('its rows are gone', async () => (await rows()).length === 0);
  t.same(await versions(), [BASE, BASE, BASE], 'what runs stays');
});
