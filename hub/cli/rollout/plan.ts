import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import type { RolloutPolicyObject } from '../../fleet/rollout-policy.ts';
import type { DaemonSetObject, NodeObject, PodObject } from '../../resources/typed.ts';
import { STRATEGIC_PATCH } from '../api-client.ts';
import type { Call, Command } from '../command.ts';
import { dataText, tableText } from '../print.ts';
import { revisionsOf } from './await-rollout.ts';
import {
  daemonSetsPath,
  listRollouts,
  noDaemonSet,
  POLICY_ANNOTATION,
  workloadName,
} from './find-rollout.ts';
import type { Change } from './planned-change.ts';
import type { Forecast, ForecastDevice, ForecastWave } from './wave-forecast.ts';

export const plan: Command = {
  arguments: 'DS',
  takes: [1, 1],
  about: 'what a change of a DaemonSet would do: the devices of each wave, and warnings; nothing is changed',
  flags: {
    image: { type: 'string', multiple: true, value: 'CONTAINER=IMAGE', about: 'with this image' },
    filename: {
      type: 'string',
      short: 'f',
      value: 'FILE',
      about: 'with what this manifest says; - is standard input',
    },
  },
  examples: ['app --image main=registry.local/app:2', 'app -f app.yaml -o wide', 'app -f app.yaml -o json'],
  outputs: ['json', 'yaml', 'wide'],
  run: async (call) => {
    const report = await reportOf(call);
    const { output, surroundings } = call;
    if (output === 'json' || output === 'yaml') call.print(dataText(output, report));
    else call.print(planText(report, output === 'wide' ? undefined : surroundings.stdout.columns));
    return undefined;
  },
};

export interface PlanReport extends Forecast {
  readonly workload: string;
  readonly policy: string;
  readonly change: Change;
}

async function reportOf(call: Call): Promise<PlanReport> {
  const { client, namespace } = call;
  const workload = workloadName(call.arguments[0] ?? '');
  const path = `${daemonSetsPath(namespace)}/${encodeURIComponent(workload)}`;
  const before = await client.find<DaemonSetObject>(path);
  if (!before) throw await noDaemonSet(client, namespace, workload);
  const after = await changed(call, path, before);
  const policyName = after.metadata.annotations?.[POLICY_ANNOTATION];
  if (!policyName)
    throw new Error(
      `DaemonSet "${workload}" refers to no RolloutPolicy (annotation ${POLICY_ANNOTATION}): it is changed in Kubernetes' own way, without waves`,
    );
  const [policy, revisions, rollouts, nodes] = await Promise.all([
    client.find<RolloutPolicyObject>(
      `/apis/fleet.holdfast.dev/v1/namespaces/${namespace}/rolloutpolicies/${encodeURIComponent(policyName)}`,
    ),
    revisionsOf(client, before),
    listRollouts(client, namespace, workload),
    client.call<{ items: NodeObject[] }>('GET', '/api/v1/nodes'),
  ]);
  if (!policy)
    throw new Error(
      `RolloutPolicy "${policyName}" is not in namespace "${namespace}": the change would wait until it is`,
    );
  // The engine's own code is loaded by who needs it only.
  const [{ plannedChange }, { forecast }, { devicesOf }] = await Promise.all([
    import('./planned-change.ts'),
    import('./wave-forecast.ts'),
    import('./planned-devices.ts'),
  ]);
  const change = plannedChange({ before, after, policy, revisions, rollouts });
  const pods = await podsOf(call, change.hash);
  const devices: readonly ForecastDevice[] = devicesOf(after, nodes.items, pods);
  const { rollout, type } = change;
  const made = forecast({ rollout, policy: policy.spec, type, devices });
  const warnings = [...change.warnings, ...(devices.length === 0 ? ['no device matches the DaemonSet'] : [])];
  return { workload, policy: policyName, change, ...made, warnings: [...warnings, ...made.warnings] };
}

/** Those that have the revision already, if it was there before. */
async function podsOf({ client, namespace }: Call, hash: string): Promise<readonly PodObject[]> {
  if (hash === '') return [];
  const selector = encodeURIComponent(`controller-revision-hash=${hash}`);
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=${selector}`;
  return (await client.call<{ items: PodObject[] }>('GET', path)).items;
}

/** The DaemonSet as the hub would store it after the change: asked as a dry run, so that all its checks hold. */
async function changed(call: Call, path: string, before: DaemonSetObject): Promise<DaemonSetObject> {
  const file = call.text('filename');
  const images = call.texts('image');
  const { client } = call;
  if (file !== undefined && images.length > 0) throw new Error('give --image or --filename, not both');
  if (images.length > 0) {
    const patch = { spec: { template: { spec: { containers: containersOf(images, before) } } } };
    return client.call('PATCH', `${path}?dryRun=All`, patch, { contentType: STRATEGIC_PATCH });
  }
  if (file === undefined) return before;
  const manifest = manifestOf(file, before);
  const { resourceVersion = '' } = before.metadata;
  const body = { ...manifest, metadata: { ...manifest.metadata, resourceVersion } };
  return client.call('PUT', `${path}?dryRun=All`, body);
}

function containersOf(images: readonly string[], { spec }: DaemonSetObject) {
  const there = (spec.template.spec?.containers ?? []).map(({ name }) => name);
  return images.map((given) => {
    const at = given.indexOf('=');
    const [name, image] = [given.slice(0, Math.max(0, at)), given.slice(at + 1)];
    if (at < 1 || image === '') throw new Error(`--image must be CONTAINER=IMAGE, is "${given}"`);
    if (!there.includes(name))
      throw new Error(`no container "${name}" in the template: there are ${there.join(', ')}`);
    return { name, image };
  });
}

/** The DaemonSet among a manifest's documents. */
function manifestOf(file: string, { metadata: { name } }: DaemonSetObject): DaemonSetObject {
  const text = readFileSync(file === '-' ? 0 : file, 'utf8');
  const documents = text.split(/^---\s*$/m).map((document) => load(document) as DaemonSetObject | undefined);
  const found = documents.find((each) => each?.kind === 'DaemonSet' && each.metadata?.name === name);
  if (found) return found;
  const there = documents.flatMap((each) => (each?.kind ? [`${each.kind} ${each.metadata?.name}`] : []));
  throw new Error(`"${file}" has no DaemonSet "${name}": it has ${there.join(', ') || 'nothing'}`);
}

/** Pure. */
export function planText(
  { workload, policy, change, waves, warnings }: PlanReport,
  columns?: number,
): string {
  const head = ['WAVE', 'DEVICES', 'DARK', 'THEN', 'NAMES'];
  const rows = waves.map((wave, index) => [
    wave.name,
    `${wave.devices.length}`,
    `${wave.dark.length}`,
    index === waves.length - 1 ? 'done' : thenText(wave),
    wave.devices.map((name) => (wave.dark.includes(name) ? `${name} (dark)` : name)).join(', '),
  ]);
  return [
    `DaemonSet ${workload}, policy ${policy}: ${change.message}`,
    '',
    tableText({ head, rows }, columns),
    ...(warnings.length > 0 ? ['', ...warnings.map((warning) => `Warning: ${warning}`)] : []),
  ].join('\n');
}

function thenText({ bake, approve }: ForecastWave): string {
  const parts = [...(bake ? [`bake ${bake}`] : []), ...(approve === 'manual' ? ['approval'] : [])];
  return parts.join(', ') || 'the next';
}
