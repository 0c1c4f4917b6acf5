import { readFileSync } from 'node:fs';
import type { DeviceUpdateObject } from '../../fleet/device-update.ts';
import type { RolloutObject } from '../../fleet/rollout.ts';
import { counted } from '../../resources/counted.ts';
import type { NodeObject } from '../../resources/typed.ts';
import { type ApiClient, STRATEGIC_PATCH } from '../api-client.ts';
import { type Call, type Command, durationFlag, numberFlag } from '../command.ts';
import { dataText } from '../print.ts';
import { awaitRollout } from './await-rollout.ts';
import { deviceUpdatesPath, findPolicy, podWorkloadMeant, rolloutsPath } from './find-rollout.ts';
import { containersOf } from './plan.ts';
import type { Rehearsal } from './rehearsal-plan.ts';
import type { RehearsalStage } from './rehearsal-stage.ts';
import { changeLines, verdictOf } from './status-text.ts';
import { findWorkload, POLICY_ANNOTATION, podsOf, type WorkloadObject, workloadPath } from './workload.ts';

const DEFAULT_DEVICES = 200;
const MOST_DEVICES = 2_000;
const DEFAULT_TIMEOUT_MS = 600_000;
const TIMED_OUT = 2;
const RESTARTED = 'kubectl.kubernetes.io/restartedAt';

export const rehearse: Command = {
  arguments: 'NAME|ds/NAME|deploy/NAME',
  takes: [1, 1],
  about:
    'rehearses a change on simulated devices with the labels of the real ones, in a hub of its own on this machine',
  flags: {
    image: {
      type: 'string',
      multiple: true,
      value: 'CONTAINER=IMAGE',
      about: 'with this image; a restart otherwise',
    },
    scenario: {
      type: 'string',
      value: 'FILE',
      about: 'how devices and images behave: see docs/fleet-sim.md',
    },
    devices: {
      type: 'string',
      value: 'NUMBER',
      about: `at most so many (${DEFAULT_DEVICES}, at most ${MOST_DEVICES})`,
    },
    seed: { type: 'string', value: 'TEXT', about: 'another one is another chance (0)' },
    timeout: { type: 'string', value: 'TIME', about: 'give up after this (10m)' },
  },
  examples: [
    'app --image main=registry.local/app:2',
    'ds/app --image main=app:2 --scenario bad-day.json --devices 50',
    'deploy/shop --image main=shop:2',
  ],
  outputs: ['json', 'yaml', 'wide'],
  run: async (call) => {
    const timeout = AbortSignal.timeout(durationFlag(call, 'timeout') ?? DEFAULT_TIMEOUT_MS);
    const rehearsal = await rehearsalOf(call);
    const patch = changeOf(call, rehearsal.workload);
    const { RehearsalStage } = await import('./rehearsal-stage.ts');
    const stage = new RehearsalStage();
    const interrupted = new AbortController();
    const stop = () => interrupted.abort(new Error('interrupted'));
    const kill = () => stage.kill();
    process.once('SIGINT', stop).once('SIGTERM', stop).once('exit', kill);
    try {
      return await onStage(call, rehearsal, patch, stage, AbortSignal.any([timeout, interrupted.signal]));
    } catch (error) {
      if (!timeout.aborted) throw error;
      call.warn('timed out: the rehearsal was not over');
      return TIMED_OUT;
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop).off('exit', kill);
      await stage.close();
    }
  },
};

/** All that is read of the real hub. */
async function rehearsalOf(call: Call): Promise<Rehearsal> {
  const { client, namespace } = call;
  const reference = podWorkloadMeant(call.arguments[0] ?? '');
  const most = numberFlag(call, 'devices') ?? DEFAULT_DEVICES;
  if (most > MOST_DEVICES) throw new Error(`--devices must be at most ${MOST_DEVICES}, is ${most}`);
  const scenario = readScenario(call.text('scenario'));
  const { kind, name } = reference;
  const workload = await findWorkload(client, namespace, reference);
  const policyName = workload.metadata.annotations?.[POLICY_ANNOTATION];
  if (!policyName)
    throw new Error(`${kind} "${name}" refers to no RolloutPolicy (annotation ${POLICY_ANNOTATION})`);
  const [policy, nodes, pods, { planRehearsal }] = await Promise.all([
    findPolicy(client, namespace, policyName),
    client.call<{ items: NodeObject[] }>('GET', '/api/v1/nodes'),
    kind === 'Deployment' ? podsOf(client, namespace, workload.spec.selector) : [],
    import('./rehearsal-plan.ts'),
  ]);
  if (!policy) throw new Error(`RolloutPolicy "${policyName}" is not in namespace "${namespace}"`);
  const there = { nodes: nodes.items, pods };
  const input = { reference, workload, policyName, policy: policy.spec, ...there, most, scenario };
  const rehearsal = planRehearsal(input);
  if (rehearsal.devices.length > 0) return rehearsal;
  const lack = kind === 'Deployment' ? 'has a pod of' : 'matches';
  throw new Error(`no device ${lack} ${kind} "${name}": there is nobody to rehearse with`);
}

function readScenario(file: string | undefined): { readonly groups?: readonly object[] } {
  if (file === undefined) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as { groups?: object[] };
  } catch (error) {
    throw new Error(`read the scenario "${file}": it must be a file of JSON (docs/fleet-sim.md)`, {
      cause: error,
    });
  }
}

/** A strategic merge patch of the workload. */
function changeOf(call: Call, workload: WorkloadObject): object {
  const images = call.texts('image');
  if (images.length > 0)
    return { spec: { template: { spec: { containers: containersOf(images, workload) } } } };
  const annotations = { [RESTARTED]: new Date(call.now).toISOString() };
  return { spec: { template: { metadata: { annotations } } } };
}

async function onStage(
  call: Call,
  rehearsal: Rehearsal,
  change: object,
  stage: RehearsalStage,
  signal: AbortSignal,
): Promise<number> {
  const { reference, devices, scenario } = rehearsal;
  const isData = call.output === 'json' || call.output === 'yaml';
  const say = (text: string) => (isData ? call.warn(text) : call.print(text));
  const namespace = 'default';
  const api = await stage.startHub(signal);
  say(`a hub of its own is up; ${counted(devices.length, 'device joins it', 'devices join it')}`);
  await stage.startDevices(devices.length, scenario, call.text('seed') ?? '0', signal);
  const { comeUp } = await import('./rehearsal-places.ts');
  await comeUp(api, namespace, rehearsal, signal);
  say('the present revision runs; the change begins');
  const startedMs = performance.now();
  await api.call('PATCH', workloadPath(namespace, reference), change, { contentType: STRATEGIC_PATCH });
  let rollout = await awaitRollout(api, namespace, reference, signal);
  while (!rollout && !signal.aborted) rollout = await awaitRollout(api, namespace, reference, signal);
  signal.throwIfAborted();
  if (!rollout || rollout === 'none needed')
    throw new Error('the change changes nothing: name another image with --image');
  const last = await followed(api, rolloutsPath(namespace), rollout, say, signal);
  const rows = await api.call<{ items: DeviceUpdateObject[] }>('GET', deviceUpdatesPath(namespace));
  const { rehearsalReport, rehearsalText } = await import('./rehearsal-report.ts');
  const report = rehearsalReport(rehearsal, last, rows.items, performance.now() - startedMs);
  const { output, surroundings } = call;
  if (output === 'json' || output === 'yaml') call.print(dataText(output, report));
  else call.print(rehearsalText(report, output === 'wide' ? undefined : surroundings.stdout.columns));
  return verdictOf(last) === 'done' ? 0 : 1;
}

async function followed(
  api: ApiClient,
  path: string,
  first: RolloutObject,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<RolloutObject> {
  let before: RolloutObject | undefined;
  let last = first;
  for await (const rollout of api.follow<RolloutObject>(path, first.metadata.name ?? '', signal)) {
    if (!rollout) break;
    for (const line of changeLines(before, rollout)) say(line);
    before = rollout;
    last = rollout;
    if (verdictOf(rollout) !== 'open') return last;
  }
  signal.throwIfAborted();
  return last;
}
