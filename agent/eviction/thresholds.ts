import { entriesOf } from '../../proto/settings/settings.ts';
import { parseQuantity } from '../pod/quantity.ts';

/*
 * When a device is under pressure, as the kubelet has it. Pure.
 * https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#eviction-signals
 */

export const SIGNALS = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;
export type Signal = (typeof SIGNALS)[number];

/** Kubernetes' conditions of a node. */
export const PRESSURES = ['MemoryPressure', 'DiskPressure', 'PIDPressure'] as const;
export type Pressure = (typeof PRESSURES)[number];

export interface Threshold {
  readonly signal: Signal;
  /** A quantity, or a percentage of what there is. */
  readonly text: string;
}

/** What there is and what of it is free, in bytes, inodes or processes. */
export interface Reading {
  readonly available: number;
  readonly capacity: number;
}

/** Of what could be read. */
export type Readings = Readonly<Partial<Record<Signal, Reading>>>;

/** A threshold that has been crossed. */
export interface Crossing {
  readonly signal: Signal;
  readonly threshold: number;
  readonly available: number;
}

export function parseThresholds(text: string): Threshold[] {
  return entriesOf(text).map(([signal, amount]) => ({ signal: signal as Signal, text: amount }));
}

export function thresholdsProblem(text: string): string | undefined {
  for (const [signal, amount] of entriesOf(text)) {
    if (!SIGNALS.includes(signal as Signal)) return `must be of ${SIGNALS.join(', ')}`;
    const isShare = /^\d+(\.\d+)?%$/.test(amount) && Number.parseFloat(amount) <= 100;
    if (!isShare && !((parseQuantity(amount) ?? -1) >= 0))
      return `must be quantities or percentages, as ${signal}<5%`;
  }
  return undefined;
}

export function thresholdAmount({ text }: Threshold, capacity: number): number {
  return text.endsWith('%') ? (Number(text.slice(0, -1)) / 100) * capacity : (parseQuantity(text) ?? 0);
}

/** Memory first: what lacks it has the least time. */
export function crossings(thresholds: readonly Threshold[], readings: Readings): Crossing[] {
  const crossed = thresholds.flatMap((threshold) => {
    const { signal } = threshold;
    const reading = readings[signal];
    if (!reading) return [];
    const amount = thresholdAmount(threshold, reading.capacity);
    return reading.available < amount ? [{ signal, threshold: amount, available: reading.available }] : [];
  });
  return crossed.sort((a, b) => SIGNALS.indexOf(a.signal) - SIGNALS.indexOf(b.signal));
}

/** What a signal is about, in the kubelet's words. */
export type Resource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';

export function resourceOf(signal: Signal): Resource {
  if (signal === 'memory.available') return 'memory';
  if (signal === 'pid.available') return 'pids';
  return signal.endsWith('.inodesFree') ? 'inodes' : 'ephemeral-storage';
}

export function pressureOf(signal: Signal): Pressure {
  if (signal === 'memory.available') return 'MemoryPressure';
  return signal === 'pid.available' ? 'PIDPressure' : 'DiskPressure';
}

/** When each was last there, on the monotonic clock: with what is crossed now, without what has been over for long enough. */
export function nextPressures(
  before: ReadonlyMap<Pressure, number>,
  crossed: readonly Crossing[],
  { transitionMs, nowMs }: { transitionMs: number; nowMs: number },
): Map<Pressure, number> {
  const kept = [...before].filter(([, seenAtMs]) => nowMs - seenAtMs < transitionMs);
  return new Map([...kept, ...crossed.map(({ signal }) => [pressureOf(signal), nowMs] as const)]);
}
