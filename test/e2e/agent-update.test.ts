import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  AGENT_ACCEPTED_CONDITION,
  AGENT_STAGED_CONDITION,
  type AgentRelease,
} from '../../proto/agent-release.ts';
import { parsePublicKey } from '../../proto/minisign.ts';
import { answerOf } from '../../proto/request-answer.ts';
import { AgentService } from '../support/agent-service.ts';
import { askAgent, askNothing, SOON } from '../support/ask-agent.ts';
import { Engine } from '../support/engine.ts';
import { HubProgram } from '../support/hub-program.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { newSigningKey } from '../support/packages.ts';
import { first, type ReleaseMaking, Releases } from '../support/releases.ts';
import { until } from '../support/until.ts';

/* An agent that updates itself: real hub, real packages, real processes, a real engine; a shell loop starts it again. */

const NODE = 'agent-update-device';
const BASE = '0.1.0';
const LONGEST_SILENCE_MS = 10_000;
const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const hub = new HubProgram();
const key = newSigningKey();
const releases = await Releases.of(key.publicKey);
const work = t.testdir({ base: {}, packages: {} });
const program = releases.install(join(work, 'base'), BASE);
const device = new AgentService(program, NODE, ['--transport', 'mqtt']);
t.teardown(async () => {
  await device.close();
  await hub.close();
  await engine.removeAllOf(NODE);
});
await engine.removeAllOf(NODE);
await makeAppImages(engine, [1], 'agent-update');
await hub.start();
await device.join(hub.ports.grpc, await hub.token());
device.start();
await device.line(/connected to the hub/);

let requests = 0;

interface Seen {
  readonly status: {
    readonly conditions: { type: string; status: string; reason: string; message: string }[];
    readonly nodeInfo: { readonly kubeletVersion: string };
  };
}

const node = () => hub.api.call<Seen>('GET', `/api/v1/nodes/${NODE}`);

/** Has the hub have a version. */
async function publish(making: ReleaseMaking): Promise<void> {
  await hub.packages.add(releases.write(join(work, 'packages'), key, making), parsePublicKey(key.publicKey));
}

/** Returns the request's id. */
async function ask(version: string, more: Partial<AgentRelease> = {}): Promise<string> {
  requests += 1;
  const id = `test-${requests}`;
  await askAgent(hub, NODE, { id, version, ...more });
  return id;
}

/** What the device says of a request, once it is what is wanted. */
function told(
  id: string,
  wanted: { staged?: string; accepted?: string; reason?: RegExp },
  timeoutMs = 90_000,
) {
  let last: unknown;
  return until(
    `the device says ${JSON.stringify(wanted)} ${wanted.reason ?? ''}`,
    async () => {
      const { conditions } = (await node()).status;
      const type = wanted.staged === undefined ? AGENT_ACCEPTED_CONDITION : AGENT_STAGED_CONDITION;
      const found = conditions.find((each) => each.type === type);
      last = found;
      const text = found && answerOf(id, found.message);
      const isWanted = found?.status === (wanted.staged ?? wanted.accepted);
      if (!found || text === undefined || !isWanted) return undefined;
      return wanted.reason?.test(found.reason) === false ? undefined : `${found.reason}: ${text}`;
    },
    timeoutMs,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; last: ${JSON.stringify(last)}\n${device.lines.slice(-30).join('\n')}`);
  });
}

const version = async () => (await node()).status.nodeInfo.kubeletVersion.replace(/^v/, '');
const slot = () => readFileSync(join(device.slots, 'current'), 'utf8').trim();
const isTrialOpen = () => existsSync(join(device.slots, 'trial'));

/** The containers with the attempts that they are, and since when they run. */
async function running(): Promise<string[]> {
  const found = await engine.docker.listContainers({ filters: { label: [`holdfast.dev/node=${NODE}`] } });
  const each = await Promise.all(found.map(({ Id }) => engine.docker.getContainer(Id).inspect()));
  return each.map(({ Id, State, RestartCount }) => `${Id} ${State.StartedAt} ${RestartCount}`).sort();
}

await hub.api.call('POST', '/api/v1/namespaces/default/pods', {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'app', namespace: 'default' },
  spec: {
    nodeName: NODE,
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: appImage(1, 'agent-update'), command: ['sh', '-c', WORK] }],
  },
});
const before = await until('the pod runs', async () => {
  const found = await running();
  return found.length === 2 ? found : undefined; // it, and what holds its network
});

t.test('another version, without a word of the containers', async (t) => {
  await publish({ version: '0.2.0' });
  const id = await ask('0.2.0', { update: { ...SOON, step: 'stage' } });
  t.match(await told(id, { staged: 'True' }), /^Staged: it is checked and unpacked/);
  t.equal(await version(), BASE, 'it is not run before it is asked for');
  const [from, at] = [device.lines.length, performance.now()];
  const next = await ask('0.2.0');
  await device.line(/"the agent ends/, from);
  const endedAt = performance.now();
  await device.line(/connected to the hub/, from);
  const silentMs = performance.now() - endedAt;
  t.match(await told(next, { accepted: 'True' }), /^Connected: /);
  t.comment(`${Math.round(silentMs)} ms without status, ${Math.round(performance.now() - at)} ms in all`);
  t.ok(silentMs < LONGEST_SILENCE_MS, `${Math.round(silentMs)} ms without status`);
  t.equal(await version(), '0.2.0');
  t.equal(slot(), `a ${BASE}`);
  t.notOk(isTrialOpen());
  t.same(await running(), before, 'not one container was restarted');
});

t.test('back to what was installed, which is there already', async (t) => {
  const from = device.lines.length;
  const id = await ask(BASE, { port: 1 }); // nothing can be downloaded
  t.match(await told(id, { accepted: 'True' }), /^Connected: /);
  t.equal(await version(), BASE);
  t.equal(slot(), `base ${BASE}`);
  t.notOk(device.lines.slice(from).some((line) => /could not be fetched/.test(line)));
  t.same(await running(), before);
});

interface BadRelease {
  readonly what: string;
  readonly making: ReleaseMaking;
  readonly says: RegExp;
  readonly takesMs: number;
}

const BAD: readonly BadRelease[] = [
  {
    what: 'one that crashes at its start',
    making: { version: '0.3.0', program: first('process.exit(3);') },
    says: /^Crashed: it ended 3 times before it had proved itself: the device went back to 0\.1\.0$/,
    takesMs: 30_000,
  },
  {
    what: 'one that hangs',
    making: {
      version: '0.3.1',
      program: first('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);'),
    },
    says: /^Hung: it did not prove itself within 22 s, and was ended: the device went back to 0\.1\.0$/,
    takesMs: 60_000,
  },
  {
    what: 'one that the hub does not let in',
    making: { version: '0.3.2', program: (text) => text.replaceAll('holdfast/v1', 'holdfast/v9') },
    says: /^NoContact: it did not reach the hub within 22 s, and the version before it did: the device went back/,
    takesMs: 60_000,
  },
  {
    what: 'one that can not read what the agent must not forget',
    making: {
      version: '0.3.3',
      program: first(
        "console.error('holdfast-agent self-test: no such table'); process.exit(1);",
        'self-test',
      ),
    },
    says: /^SelfTestFailed: 0\.3\.3 does not work on this device: holdfast-agent self-test: no such table$/,
    takesMs: 30_000,
  },
];

for (const { what, making, says, takesMs } of BAD)
  t.test(`${what} is gone back from`, async (t) => {
    await publish(making);
    const id = await ask(making.version);
    t.match(await told(id, { accepted: 'False' }, takesMs), says);
    t.equal(await version(), BASE);
    t.equal(slot(), `base ${BASE}`);
    t.notOk(isTrialOpen());
    t.same(await running(), before, 'the containers know nothing of it');
    const from = device.lines.length;
    device.kill();
    await device.line(/connected to the hub/, from);
    t.match(await told(id, { accepted: 'False' }), says, 'it is remembered');
    t.notOk(
      device.lines.slice(from).some((line) => /the agent ends/.test(line)),
      'and not tried again',
    );
  });

t.test('the Node has events of it', async (t) => {
  const { items } = await hub.api.call<{
    items: { reason: string; message: string; involvedObject: { kind: string } }[];
  }>('GET', `/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D${NODE}`);
  const said = items
    .filter(({ involvedObject }) => involvedObject.kind === 'Node')
    .map(({ reason, message }) => `${reason}: ${message}`);
  t.ok(said.includes('AgentUpdating: from 0.1.0 to 0.2.0'), said.join('\n'));
  t.ok(
    said.some((text) => /^AgentUpdated: from 0\.1\.0 to 0\.2\.0: it has reached the hub/.test(text)),
    said.join('\n'),
  );
  t.ok(
    said.some((text) => /^AgentUpdateRejected: Crashed: it ended 3 times/.test(text)),
    said.join('\n'),
  );
});

t.test('without the hub, a version is confirmed by what it does on the device', async (t) => {
  await publish({ version: '0.4.0' });
  // At a full minute, and not before it is staged.
  const opens = new Date(Date.now() + 80_000);
  const windows = [{ schedule: `${opens.getMinutes()} * * * *`, durationSeconds: 60 }];
  const id = await ask('0.4.0', { update: { ...SOON, windows } });
  t.match(await told(id, { accepted: 'Unknown', reason: /WaitingForWindow/ }), /its window opens at/);
  const from = device.lines.length;
  await hub.stop();
  await device.line(/no connection to the hub/, from);
  await device.line(/"the new version is confirmed"/, from, 150_000);
  t.equal(slot(), `a ${BASE}`);
  t.same(await running(), before);
  await hub.start();
  t.match(await told(id, { accepted: 'True' }), /^LocallyHealthy: it looks after its pods; the hub was away/);
  t.equal(await version(), '0.4.0');
});

t.test('what is not asked for any more is forgotten', async (t) => {
  await askNothing(hub, NODE);
  const from = device.lines.length;
  device.kill();
  await device.line(/connected to the hub/, from);
  t.equal(await version(), '0.4.0', 'the version stays');
  t.same(await running(), before);
});
