import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MERGE_PATCH } from '../../hub/cli/api-client.ts';
import { agentPackages } from '../../hub/packages/agent-packages.ts';
import {
  AGENT_ACCEPTED_CONDITION,
  AGENT_RELEASE_ANNOTATION,
  AGENT_STAGED_CONDITION,
  type AgentRelease,
  encodeAgentRelease,
} from '../../proto/agent-release.ts';
import { parsePublicKey } from '../../proto/minisign.ts';
import type { PodUpdate } from '../../proto/pod-update.ts';
import { answerOf } from '../../proto/request-answer.ts';
import { AgentService } from '../support/agent-service.ts';
import { Engine } from '../support/engine.ts';
import { HubProgram } from '../support/hub-program.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { newSigningKey } from '../support/packages.ts';
import { type ReleaseMaking, Releases } from '../support/releases.ts';
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

const UPDATE: PodUpdate = {
  step: 'apply',
  order: 'download-then-stop',
  minHealthySeconds: 2,
  maxRestarts: 0,
  deadlineSeconds: 60,
  rollback: true,
};
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

/** Asks the device to run a version, as the hub's controller does. Returns the request's id. */
async function ask(
  version: string,
  { update = UPDATE, ...change }: Partial<AgentRelease> = {},
): Promise<string> {
  requests += 1;
  const id = `test-${requests}`;
  const packages = agentPackages(hub.packages.list(), version, 'amd64');
  const port = hub.ports.api;
  const release = { id, release: 'default/test', version, port, ...packages, update, ...change };
  await annotate(encodeAgentRelease(release));
  return id;
}

const annotate = (text: string | null) =>
  hub.api.call(
    'PATCH',
    `/api/v1/nodes/${NODE}`,
    { metadata: { annotations: { [AGENT_RELEASE_ANNOTATION]: text } } },
    {
      contentType: MERGE_PATCH,
    },
  );

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
  return found.length === 1 ? found : undefined;
});

t.test('another version, without a word of the containers', async (t) => {
  await publish({ version: '0.2.0' });
  const id = await ask('0.2.0', { update: { ...UPDATE, step: 'stage' } });
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
