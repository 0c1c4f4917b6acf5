import type { RolloutObject } from '../../fleet/rollout.ts';
import { humanDuration, since } from '../../resources/human-duration.ts';
import { parseTime } from '../../resources/time.ts';
import type { ControllerRevisionObject, DaemonSetObject } from '../../resources/typed.ts';
import type { Call, Command } from '../command.ts';
import { dataText, type Table, tableText } from '../print.ts';
import { revisionsOf } from './await-rollout.ts';
import { daemonSetsPath, findRollout, listRollouts, noDaemonSet, parseReference } from './find-rollout.ts';

const CHANGE_CAUSE = 'kubernetes.io/change-cause';

export const history: Command = {
  arguments: 'ds/NAME|NAME',
  takes: [1, 1],
  about: 'the revisions of a DaemonSet and what became of each; of a rollout, everything that happened to it',
  examples: ['ds/app', 'app-3', 'app-3 -o wide'],
  outputs: ['json', 'yaml', 'wide'],
  run: async (call) => {
    const { type, name } = parseReference(call.arguments[0] ?? '');
    if (type === 'workload') await ofWorkload(call, name);
    else await ofRollout(call, await findRollout(call.client, call.namespace, name));
    return undefined;
  },
};

function show(call: Call, data: unknown, table: Table): void {
  const { output, surroundings } = call;
  if (output === 'json' || output === 'yaml') call.print(dataText(output, data));
  else call.print(tableText(table, output === 'wide' ? undefined : surroundings.stdout.columns));
}

async function ofWorkload(call: Call, name: string): Promise<void> {
  const { client, namespace, now } = call;
  const set = await client.find<DaemonSetObject>(`${daemonSetsPath(namespace)}/${encodeURIComponent(name)}`);
  if (!set) throw await noDaemonSet(client, namespace, name);
  const [revisions, rollouts] = await Promise.all([
    revisionsOf(client, set),
    listRollouts(client, namespace, name),
  ]);
  show(call, { apiVersion: 'v1', kind: 'List', items: rollouts }, revisionTable(revisions, rollouts, now));
}

/** Each revision that the hub has a template or a record of, the newest first. */
export function revisionTable(
  revisions: readonly ControllerRevisionObject[],
  rollouts: readonly RolloutObject[],
  nowMs: number,
): Table {
  const head = ['REVISION', 'ROLLOUT', 'TYPE', 'RESULT', 'DONE', 'FAILED', 'TOOK', 'AGE', 'IMAGES', 'CAUSE'];
  const templates = new Map(revisions.map((revision) => [revision.revision, revision]));
  const records = new Map(rollouts.map((rollout) => [rollout.spec.to.number, rollout]));
  const numbers = [...new Set([...templates.keys(), ...records.keys()])].toSorted((a, b) => b - a);
  const rows = numbers.map((number) => rowOf(number, templates.get(number), records.get(number), nowMs));
  return { head, rows };
}

function rowOf(
  number: number,
  template: ControllerRevisionObject | undefined,
  rollout: RolloutObject | undefined,
  nowMs: number,
): string[] {
  const { succeeded = 0, failed = 0, devices = 0, phase = 'Pending' } = rollout?.status ?? {};
  const made = rollout?.metadata.creationTimestamp ?? template?.metadata.creationTimestamp;
  return [
    `${number}`,
    rollout?.metadata.name ?? '',
    rollout?.spec.type ?? '',
    rollout ? phase : 'first',
    rollout ? `${succeeded}/${devices}` : '',
    rollout ? `${failed}` : '',
    tookText(rollout),
    since(made, nowMs),
    template ? imagesOf(template) : '',
    rollout?.spec.cause ?? template?.metadata.annotations?.[CHANGE_CAUSE] ?? '',
  ];
}

function tookText(rollout: RolloutObject | undefined): string {
  const [from, to] = [rollout?.metadata.creationTimestamp, rollout?.status?.finishedAt].map(parseTime);
  return from === undefined || to === undefined ? '' : humanDuration(Math.max(0, to - from));
}

function imagesOf({ data }: ControllerRevisionObject): string {
  const { spec } = data as { spec?: { template?: { spec?: { containers?: { image?: string }[] } } } };
  return (spec?.template?.spec?.containers ?? []).map(({ image = '' }) => image).join(', ');
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
