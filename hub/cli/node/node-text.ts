import type { DeviceUpdateObject, DeviceUpdateSpec } from '../../fleet/device-update.ts';
import { since } from '../../resources/human-duration.ts';
import { readinessOf } from '../../resources/node-matching.ts';
import type { NodeObject } from '../../resources/typed.ts';
import { isRevoked, KEY_ANNOTATION } from '../../security/node-identity.ts';
import { oneLine, type Table, tableText } from '../print.ts';

/*
 * What people see of nodes. Pure.
 */

/** Rows of DeviceUpdates by their node. */
export type Updates = ReadonlyMap<string, readonly DeviceUpdateSpec[]>;

export function updatesByNode(rows: readonly DeviceUpdateObject[]): Updates {
  const specs = rows.map(({ spec }) => spec);
  return Map.groupBy(specs, ({ node }) => node);
}

export interface NodeView {
  readonly nowMs: number;
  readonly isWide: boolean;
}

export function nodeTable(
  nodes: readonly NodeObject[],
  updates: Updates,
  { nowMs, isWide }: NodeView,
): Table {
  const head = ['NAME', 'STATUS', 'CLASS', 'VERSION', 'UPDATES', 'AGE'];
  const rows = nodes.map((node) => {
    const { metadata, status } = node;
    const own = updates.get(metadata.name ?? '') ?? [];
    return [
      metadata.name ?? '',
      statusText(node),
      classText(node, own, nowMs),
      status?.nodeInfo?.kubeletVersion ?? '<unknown>',
      own.map(updateText).join(', '),
      since(metadata.creationTimestamp, nowMs),
      ...(isWide ? [addressOf(node), status?.nodeInfo?.osImage ?? '', labelsText(metadata.labels)] : []),
    ];
  });
  return { head: [...head, ...(isWide ? ['ADDRESS', 'OS-IMAGE', 'LABELS'] : [])], rows };
}

/** As `kubectl get nodes` says it. */
function statusText(node: NodeObject): string {
  const readiness = readinessOf(node);
  const text = readiness === undefined ? 'Unknown' : readiness === 'True' ? 'Ready' : 'NotReady';
  const more = [
    ...(isRevoked(node) ? ['Revoked'] : []),
    ...(node.spec.unschedulable ? ['SchedulingDisabled'] : []),
  ];
  return [text, ...more].join(',');
}

/** `reachable`, `dark 5m`, `lost 20m`; `joining` for one that never reported. */
export function classText(node: NodeObject, updates: readonly DeviceUpdateSpec[], nowMs: number): string {
  const readiness = readinessOf(node);
  // It reports that it is not well: it is there.
  if (readiness === 'True' || readiness === 'False') return 'reachable';
  if (readiness === undefined) return 'joining';
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
  const isLost = updates.some((each) => each.class === 'lost');
  return `${isLost ? 'lost' : 'dark'} ${since(ready?.lastTransitionTime, nowMs)}`;
}

function updateText({ rollout, step, wave }: DeviceUpdateSpec): string {
  return `${rollout} ${step}${wave ? ` (${wave})` : ''}`;
}

function addressOf({ status }: NodeObject): string {
  return status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '';
}

function labelsText(labels: Readonly<Record<string, string>> = {}): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** Everything about one node. */
export function nodeText(node: NodeObject, updates: readonly DeviceUpdateSpec[], view: Picture): string {
  const { metadata, spec, status } = node;
  const { nodeInfo } = status ?? {};
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const taints = (spec.taints ?? []).map(
    ({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`,
  );
  const facts: [string, string][] = [
    ['Name', metadata.name ?? ''],
    ['Status', statusText(node)],
    [
      'Class',
      `${classText(node, updates, view.nowMs)}${ready?.message ? `: ${oneLine(ready.message)}` : ''}`,
    ],
    ['Since', ready?.lastTransitionTime ?? ''],
    ['Agent', nodeInfo?.kubeletVersion ?? ''],
    [
      'System',
      [nodeInfo?.osImage, nodeInfo?.kernelVersion, nodeInfo?.architecture].filter(Boolean).join(', '),
    ],
    ['Engine', nodeInfo?.containerRuntimeVersion ?? ''],
    ['Address', addressOf(node)],
    ['Key', metadata.annotations?.[KEY_ANNOTATION] ?? 'not pinned'],
    ['Labels', labelsText(metadata.labels)],
    ['Taints', taints.join(', ')],
    ['Joined', `${metadata.creationTimestamp} (${since(metadata.creationTimestamp, view.nowMs)} ago)`],
  ];
  const told = facts
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${`${name}:`.padEnd(9)}${value}`);
  return [...told, '', updates.length > 0 ? updateTable(updates, view) : 'It is in no rollout.'].join('\n');
}

export interface Picture {
  readonly nowMs: number;
  readonly columns?: number | undefined;
}

function updateTable(updates: readonly DeviceUpdateSpec[], { nowMs, columns }: Picture): string {
  const head = ['ROLLOUT', 'WAVE', 'CLASS', 'STEP', 'SINCE', 'WHY'];
  const rows = updates.map((row) => [
    row.rollout,
    row.wave,
    row.class,
    row.step,
    since(row.since, nowMs),
    [row.reason, row.message].filter(Boolean).join(': '),
  ]);
  return tableText({ head, rows }, columns);
}
