import { setImmediate as nextTurn } from 'node:timers/promises';
import { Limit } from '../../../../proto/limit.ts';
import {
  ContainerMetrics,
  deviceExpression,
  evaluating,
  PodFacts,
  PodMetrics,
} from '../../../fleet/gate-expressions.ts';
import type { DevicesGate } from '../../../fleet/measured-gate.ts';
import { counted } from '../../../resources/counted.ts';
import { isReady } from '../../../resources/pod-state.ts';
import type { ContainerUsage, NodeUsage } from '../../../resources/resource-metrics.ts';
import type { PodObject } from '../../../resources/typed.ts';
import type { Finding } from '../measured-gates.ts';

/** What a device and its pods use, at `sinceMs` or later. Undefined when it cannot be had: never rejects. */
export type UsageOf = (node: string, sinceMs: number) => Promise<NodeUsage | undefined>;

/** A device that has taken the revision. */
export interface MeasuredDevice {
  readonly node: string;
  readonly isOnline: boolean;
  readonly pod: PodObject;
}

const AT_ONCE = 256;
/** Conditions of so many devices share the time that those of a gate may take in one turn. */
const JUDGED_AT_ONCE = 200;
const NAMED = 3;
const NANOCORES = 1e9;

/** How many devices do well, do not, and did not say. */
export interface Tally {
  readonly passed: number;
  readonly failed: readonly string[];
  readonly unknown: number;
  /** Why one of those is not known. */
  readonly why?: string;
}

export interface DevicesQuestion {
  readonly devices: readonly MeasuredDevice[];
  readonly usageOf: UsageOf;
  /** What was measured before says nothing of what they do now. */
  readonly sinceMs: number;
  readonly signal: AbortSignal;
}

/** Asks each device once. Rejects when the condition takes too long. */
export async function askDevices(gate: DevicesGate, question: DevicesQuestion): Promise<Finding> {
  const { devices, signal } = question;
  const expression = deviceExpression(gate.expression);
  const usages = expression.uses('metrics') ? await usagesOf(question) : undefined;
  let [passed, unknown, why]: [number, number, string | undefined] = [0, 0, undefined];
  const failed: string[] = [];
  for (let from = 0; from < devices.length; from += JUDGED_AT_ONCE) {
    const some = devices.slice(from, from + JUDGED_AT_ONCE);
    evaluating(() => {
      for (const device of some) judge(device);
    });
    await nextTurn(undefined, { signal });
  }
  return judgeTally(gate, devices.length, { passed, failed, unknown, ...(why !== undefined && { why }) });

  function judge({ node, pod }: MeasuredDevice): void {
    const metrics = usages && metricsOf(usages.get(node)?.pods.get(pod.metadata.uid ?? ''));
    if (usages && !metrics) {
      unknown += 1;
      why ??= `device ${node} did not say what it uses`;
      return;
    }
    try {
      if (expression.evaluate({ ...factsOf(node, pod), metrics }) === true) passed += 1;
      else failed.push(node);
    } catch (error) {
      unknown += 1;
      why ??= `device ${node}: ${(error as Error).message}`;
    }
  }
}

async function usagesOf({
  devices,
  usageOf,
  sinceMs,
  signal,
}: DevicesQuestion): Promise<ReadonlyMap<string, NodeUsage>> {
  const limit = new Limit(AT_ONCE);
  const usages = new Map<string, NodeUsage>();
  const ask = async ({ node, isOnline }: MeasuredDevice) => {
    if (signal.aborted || !isOnline) return;
    const usage = await usageOf(node, sinceMs);
    if (usage) usages.set(node, usage);
  };
  await Promise.all(devices.map((device) => limit.run(() => ask(device))));
  signal.throwIfAborted();
  return usages;
}

/** Undefined for a pod of which nothing was measured. */
function metricsOf(used: readonly ContainerUsage[] = []): PodMetrics | undefined {
  if (used.length === 0) return undefined;
  const containers = used.map(
    ({ name, usage }) =>
      [name, new ContainerMetrics(Number(usage.cpuNanocores) / NANOCORES, usage.workingSetBytes)] as const,
  );
  const cpu = containers.reduce((sum, [, each]) => sum + each.cpu, 0);
  const memory = containers.reduce((sum, [, each]) => sum + each.memory, 0n);
  return new PodMetrics(cpu, memory, Object.fromEntries(containers));
}

/** What is known of a pod without asking its device. */
function factsOf(node: string, pod: PodObject) {
  const { name = '', namespace = '' } = pod.metadata;
  const { phase = 'Unknown', containerStatuses = [] } = pod.status ?? {};
  const ended = containerStatuses.flatMap(({ state, lastState }) =>
    [state?.terminated, lastState?.terminated].filter((each) => each !== undefined),
  );
  return {
    pod: new PodFacts({ name, namespace, node, phase, ready: isReady(pod) }),
    restarts: containerStatuses.reduce((sum, { restartCount }) => sum + BigInt(restartCount), 0n),
    exitCodes: ended.map(({ exitCode }) => BigInt(exitCode)),
    reasons: ended.flatMap(({ reason }) => reason ?? []),
  };
}

/** Shares are of the devices of which it is known. Pure. */
export function judgeTally(
  { successThreshold, minMeasured }: DevicesGate,
  devices: number,
  { passed, failed, unknown, why }: Tally,
): Finding {
  if (devices === 0) return { result: 'pass', message: 'no device of the wave has the revision' };
  const measured = passed + failed.length;
  const needed = Math.min(minMeasured, devices);
  const unknownText = unknown > 0 ? ` (${unknown} not measured: ${why})` : '';
  if (measured < needed)
    return {
      result: 'inconclusive',
      message: `${measured} of the ${counted(needed, 'device that it takes was', 'devices that it takes were')} measured${unknownText}`,
    };
  const isGood = failed.length * 100 <= (100 - Number.parseInt(successThreshold, 10)) * measured;
  const more = failed.length > NAMED ? ' …' : '';
  const failedText = failed.length > 0 ? `, not for ${failed.slice(0, NAMED).join(', ')}${more}` : '';
  return {
    result: isGood ? 'pass' : 'fail',
    message: `holds for ${passed} of ${counted(measured, 'device', 'devices')}${failedText}${unknownText}, successThreshold is ${successThreshold}`,
  };
}
