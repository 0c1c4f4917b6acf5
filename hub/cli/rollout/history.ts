import type { RolloutObject } from '../../fleet/rollout.ts';
import { humanDuration, since } from '../../resources/human-duration.ts';
import { parseTime } from '../../resources/time.ts';
import type { Call, Command } from '../command.ts';
import { dataText, type Table, tableText } from '../print.ts';
import { findRollout, listRollouts, parseReference } from './find-rollout.ts';
import { findWorkload, type Version, versionsOf, type WorkloadReference } from './workload.ts';

export const history: Command = {
  arguments: 'ds/NAME|deploy/NAME|ar/NAME|NAME',
  takes: [1, 1],
  about: 'the revisions of a workload and what became of each; of a rollout, everything that happened to it',
  examples: ['ds/app', 'deploy/shop', 'app-3', 'app-3 -o wide'],
  outputs: ['json', 'yaml', 'wide'],
  run: async (call) => {
    const reference = parseReference(call.arguments[0] ?? '');
    if (reference.type === 'workload') await ofWorkload(call, reference.workload);
    else await ofRollout(call, await findRollout(call.client, call.namespace, reference.name));
    return undefined;
  },
};

function show(call: Call, data: unknown, table: Table): void {
  const { output, surroundings } = call;
  if (output === 'json' || output === 'yaml') call.print(dataText(output, data));
  else call.print(tableText(table, output === 'wide' ? undefined : surroundings.stdout.columns));
}

async function ofWorkload(call: Call, reference: WorkloadReference): Promise<void> {
  const { client, namespace, now } = call;
  const workload = await findWorkload(client, namespace, reference);
  const [versions, rollouts] = await Promise.all([
    versionsOf(client, reference.kind, workload),
    listRollouts(client, namespace, reference),
  ]);
  show(call, { apiVersion: 'v1', kind: 'List', items: rollouts }, revisionTable(versions, rollouts, now));
}

/** Each revision that the hub has a template or a record of, the newest first. */
export function revisionTable(
  versions: readonly Version[],
  rollouts: readonly RolloutObject[],
  nowMs: number,
): Table {
  const head = ['REVISION', 'ROLLOUT', 'TYPE', 'RESULT', 'DONE', 'FAILED', 'TOOK', 'AGE', 'IMAGES', 'CAUSE'];
  const templates = new Map(versions.map((version) => [version.number, version]));
  const records = new Map(rollouts.map((rollout) => [rollout.spec.to.number, rollout]));
  const numbers = [...new Set([...templates.keys(), ...records.keys()])].toSorted((a, b) => b - a);
  const rows = numbers.map((number) => rowOf(number, templates.get(number), records.get(number), nowMs));
  return { head, rows };
}

function rowOf(
  number: number,
  version: Version | undefined,
  rollout: RolloutObject | undefined,
  nowMs: number,
): string[] {
  const { succeeded = 0, failed = 0, devices = 0, phase = 'Pending' } = rollout?.status ?? {};
  const made = rollout?.metadata.creationTimestamp ?? version?.createdAt;
  return [
    `${number}`,
    rollout?.metadata.name ?? '',
    rollout?.spec.type ?? '',
    rollout ? phase : 'first',
    rollout ? `${succeeded}/${devices}` : '',
    rollout ? `${failed}` : '',
    tookText(rollout),
    since(made, nowMs),
    version ? imagesOf(version) : '',
    rollout?.spec.cause ?? version?.cause ?? '',
  ];
}

function tookText(rollout: RolloutObject | undefined): string {
  const [from, to] = [rollout?.metadata.creationTimestamp, rollout?.status?.finishedAt].map(parseTime);
  return from === undefined || to === undefined ? '' : humanDuration(Math.max(0, to - from));
}

/** Of an AgentRelease, the version. */
function imagesOf({ template: { spec }, hash }: Version): string {
  return spec === undefined ? hash : (spec.containers ?? []).map(({ image = '' }) => image).join(', ');
}

async function ofRollout(call: Call, rollout: RolloutObject): Promise<void> {
  const { transitions = [] } = rollout.status ?? {};
  show(call, transitions, {
    head: ['AT', 'PHASE', 'WAVE', 'REASON', 'BY', 'MESSAGE'],
    rows: transitions.map(({ at, phase, wave = '', reason, by = '', message = '' }) => [
      `${at.slice(0, 19)}Z`,
      phase,
      wave,
      reason,
      by,
      message,
    ]),
  });
}
