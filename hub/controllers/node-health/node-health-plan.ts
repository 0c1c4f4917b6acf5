import type { NodeCondition, Taint } from 'kubernetes-types/core/v1.d.ts';
import { readinessOf } from '../../resources/node-matching.ts';
import { formatTime } from '../../resources/time.ts';
import type { NodeObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import type { Connection } from './node-liveness.ts';

const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
const EFFECTS = ['NoSchedule', 'NoExecute'];
/** What keeps pods away while the device tells of it. */
const PRESSURE_TAINTS: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
};
/** What the agent reports and nobody knows any more once it is silent. Network is not the agent's to report here. */
const REPORTED = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
const LOST: Pick<NodeCondition, 'reason' | 'message'> = {
  reason: 'NodeStatusUnknown',
  message: 'The agent has lost its connection to the hub.',
};

export interface NodeHealthPlan {
  /** Undefined: they are right. */
  readonly conditions: NodeCondition[] | undefined;
  readonly taints: Taint[] | undefined;
  /** Whether the pods of the node cannot be ready any more. */
  readonly losesPods: boolean;
  /** Whether what the agent last said of its pods counts again. */
  readonly regainsPods: boolean;
  /** Milliseconds until silence becomes loss. */
  readonly wakeInMs: number | undefined;
}

/** `connection` is undefined where nobody knows about connections: the conditions are then as the agent left them. */
export function planNodeHealth(
  node: NodeObject,
  connection: Connection | undefined,
  { gracePeriodMs, nowMs }: { gracePeriodMs: number; nowMs: number },
): NodeHealthPlan {
  const isSilent = connection !== undefined && !connection.isConnected;
  const graceLeftMs = isSilent ? connection.sinceMs + gracePeriodMs - nowMs : 0;
  const isLost = isSilent && graceLeftMs <= 0;
  const conditions = isLost ? lostConditions(node, formatTime(nowMs)) : undefined;
  const readiness = conditions || isLost ? 'Unknown' : readinessOf(node);
  return {
    conditions,
    taints: planTaints(
      conditions ? { ...node, status: { ...node.status, conditions } } : node,
      readiness,
      nowMs,
    ),
    losesPods: readiness === 'Unknown' || readiness === 'False',
    regainsPods: readiness === 'True',
    wakeInMs: isSilent && graceLeftMs > 0 ? graceLeftMs : undefined,
  };
}

function lostConditions({ status }: NodeObject, at: string): NodeCondition[] | undefined {
  const known = status?.conditions ?? [];
  const missesReady = !known.some(({ type }) => type === 'Ready');
  if (!missesReady && known.every(({ type, status }) => !REPORTED.includes(type) || status === 'Unknown'))
    return undefined;
  const lost = (type: string): NodeCondition => ({
    type,
    status: 'Unknown',
    ...LOST,
    lastTransitionTime: at,
  });
  const conditions = known.map((condition) =>
    REPORTED.includes(condition.type) && condition.status !== 'Unknown'
      ? { ...condition, ...lost(condition.type) }
      : condition,
  );
  return missesReady ? [...conditions, lost('Ready')] : conditions;
}

/** A node that has not reported yet is not tainted: it has no pods, and the scheduler knows that it is not ready. */
function planTaints(
  node: NodeObject,
  readiness: 'True' | 'False' | 'Unknown' | undefined,
  nowMs: number,
): Taint[] | undefined {
  const taints = node.spec.taints ?? [];
  const wanted = [...healthTaints(readiness), ...pressureTaints(node)];
  const isOurs = ({ key }: Taint) =>
    key === NOT_READY || key === UNREACHABLE || Object.values(PRESSURE_TAINTS).includes(key);
  const kept = taints.filter((taint) => !isOurs(taint) || wanted.some(({ key }) => key === taint.key));
  const missing = wanted.filter((taint) => !kept.some((other) => isSame(taint, other)));
  const next = [
    ...kept,
    ...missing.map(
      (taint): Taint => ({
        ...taint,
        ...(taint.effect === 'NoExecute' && { timeAdded: formatTime(nowMs) }),
      }),
    ),
  ];
  return sameJson(next, taints) ? undefined : next;
}

function healthTaints(readiness: string | undefined): Taint[] {
  if (readiness !== 'Unknown' && readiness !== 'False') return [];
  const key = readiness === 'Unknown' ? UNREACHABLE : NOT_READY;
  return EFFECTS.map((effect) => ({ key, effect }));
}

/** What a device that is silent last said of that is not known any more: as in Kubernetes, its taints go. */
function pressureTaints({ status }: NodeObject): Taint[] {
  return (status?.conditions ?? []).flatMap(({ type, status: holds }) => {
    const key = PRESSURE_TAINTS[type];
    return key !== undefined && holds === 'True' ? [{ key, effect: 'NoSchedule' }] : [];
  });
}

const isSame = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;
