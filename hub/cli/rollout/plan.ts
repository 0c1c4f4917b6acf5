import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import type { NodeObject } from '../../resources/typed.ts';
import { STRATEGIC_PATCH } from '../api-client.ts';
import type { Call, Command } from '../command.ts';
import { dataText, tableText } from '../print.ts';
import { findPolicy, listRollouts, podWorkloadMeant } from './find-rollout.ts';
import type { Change } from './planned-change.ts';
import type { Forecast, ForecastDevice, ForecastWave } from './wave-forecast.ts';
import {
  findWorkload,
  hashLabelOf,
  POLICY_ANNOTATION,
  podsOf,
  versionsOf,
  type WorkloadKind,
  type WorkloadObject,
  type WorkloadReference,
  workloadPath,
} from './workload.ts';

export const plan: Command = {
  arguments: 'NAME|ds/NAME|deploy/NAME',
  takes: [1, 1],
  about: 'what a change of a workload would do: the devices of each wave, and warnings; nothing is changed',
  flags: {
    image: { type: 'string', multiple: true, value: 'CONTAINER=IMAGE', about: 'with this image' },
    filename: {
      type: 'string',
      short: 'f',
      value: 'FILE',
      about: 'with what this manifest says; - is standard input',
    },
  },
  examples: [
    'app --image main=registry.local/app:2',
    'app -f app.yaml -o wide',
    'deploy/shop -f shop.yaml -o json',
  ],
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
  readonly kind: WorkloadKind;
  readonly workload: string;
  readonly policy: string;
  readonly change: Change;
}

async function reportOf(call: Call): Promise<PlanReport> {
  const { client, namespace } = call;
  const reference = podWorkloadMeant(call.arguments[0] ?? '');
  const { kind, name } = reference;
  const before = await findWorkload(client, namespace, reference);
  const after = await changed(call, reference, before);
  const policyName = after.metadata.annotations?.[POLICY_ANNOTATION];
  if (!policyName)
    throw new Error(
      `${kind} "${name}" refers to no RolloutPolicy (annotation ${POLICY_ANNOTATION}): it is changed in Kubernetes' own way, without waves`,
    );
  const [policy, versions, rollouts, nodes] = await Promise.all([
    findPolicy(client, namespace, policyName),
    versionsOf(client, kind, before),
    listRollouts(client, namespace, reference),
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
  const change = plannedChange({ reference, before, after, policy, versions, rollouts });
  const pods = await podsOf(client, namespace, after.spec.selector);
  const there = { nodes: nodes.items, pods, hashLabel: hashLabelOf(kind), hash: change.hash };
  const devices: readonly ForecastDevice[] = devicesOf(kind, after, there);
  const { rollout, type } = change;
  const made = forecast({ rollout, policy: policy.spec, type, devices });
  const warnings = [...change.warnings, ...(devices.length === 0 ? [`no device matches the ${kind}`] : [])];
  return {
    kind,
    workload: name,
    policy: policyName,
    change,
    ...made,
    warnings: [...warnings, ...made.warnings],
  };
}

/** The workload as the hub would store it after the change: asked as a dry run, so that all its checks hold. */
async function changed(
  call: Call,
  reference: WorkloadReference,
  before: WorkloadObject,
): Promise<WorkloadObject> {
  const path = workloadPath(call.namespace, reference);
  const file = call.text('filename');
  const images = call.texts('image');
  const { client } = call;
  if (file !== undefined && images.length > 0) throw new Error('give --image or --filename, not both');
  if (images.length > 0) {
    const patch = { spec: { template: { spec: { containers: containersOf(images, before) } } } };
    return client.call('PATCH', `${path}?dryRun=All`, patch, { contentType: STRATEGIC_PATCH });
  }
  if (file === undefined) return before;
  const manifest = manifestOf(file, reference);
  const { resourceVersion = '' } = before.metadata;
  const body = { ...manifest, metadata: { ...manifest.metadata, resourceVersion } };
  return client.call('PUT', `${path}?dryRun=All`, body);
}

export function containersOf(images: readonly string[], { spec }: WorkloadObject) {
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

/** The workload among a manifest's documents. */
function manifestOf(file: string, { kind, name }: WorkloadReference): WorkloadObject {
  const text = readFileSync(file === '-' ? 0 : file, 'utf8');
  const documents = text.split(/^---\s*$/m).map((document) => load(document) as WorkloadObject | undefined);
  const found = documents.find((each) => each?.kind === kind && each.metadata?.name === name);
  if (found) return found;
  const there = documents.flatMap((each) => (each?.kind ? [`${each.kind} ${each.metadata?.name}`] : []));
  throw new Error(`"${file}" has no ${kind} "${name}": it has ${there.join(', ') || 'nothing'}`);
}

/** Pure. */
export function planText(
  { kind, workload, policy, change, waves, warnings }: PlanReport,
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
    `${kind} ${workload}, policy ${policy}: ${change.message}`,
    '',
    tableText({ head, rows }, columns),
    ...(warnings.length > 0 ? ['', ...warnings.map((warning) => `Warning: ${warning}`)] : []),
  ].join('\n');
}

function thenText({ bake, approve }: ForecastWave): string {
  const parts = [...(bake ? [`bake ${bake}`] : []), ...(approve === 'manual' ? ['approval'] : [])];
  return parts.join(', ') || 'the next';
}
