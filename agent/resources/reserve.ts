import { entriesOf } from '../../proto/settings/settings.ts';
import { type Threshold, thresholdAmount } from '../eviction/thresholds.ts';
import { parseQuantity } from '../pod/quantity.ts';

/* What of the device is for pods. Pure. */

type Amounts = Readonly<Record<string, string>>;

const RESERVABLE = ['cpu', 'memory', 'ephemeral-storage', 'pid'];

/** What is kept for the system, by resource. */
export type Reserve = ReadonlyMap<string, number>;

export function parseReserve(text: string): Reserve {
  return new Map(entriesOf(text).map(([name, amount]) => [name, parseQuantity(amount) ?? 0]));
}

export function reserveProblem(text: string): string | undefined {
  for (const [name, amount] of entriesOf(text)) {
    if (!RESERVABLE.includes(name)) return `must be of ${RESERVABLE.join(', ')}`;
    if (!((parseQuantity(amount) ?? -1) >= 0)) return `must be quantities, as ${name}=100m`;
  }
  return undefined;
}

/** Without what the system keeps, and what is given back by force once it is used: as the kubelet counts. */
export function allocatableOf(
  capacity: Amounts,
  reserve: Reserve,
  thresholds: readonly Threshold[],
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(capacity).map(([name, text]) => {
      const total = parseQuantity(text) ?? 0;
      const kept =
        (reserve.get(name) ?? 0) + keptByForce(name, total, thresholds) + inHugePages(name, capacity);
      return [name, kept > 0 ? format(name, Math.max(0, total - kept)) : text];
    }),
  );
}

function keptByForce(name: string, total: number, thresholds: readonly Threshold[]): number {
  const signal = { memory: 'memory.available', 'ephemeral-storage': 'nodefs.available' }[name];
  const found = thresholds.find((threshold) => threshold.signal === signal);
  return found ? thresholdAmount(found, total) : 0;
}

/** Memory that is set aside for huge pages is no other memory. */
function inHugePages(name: string, capacity: Amounts): number {
  if (name !== 'memory') return 0;
  const sizes = Object.entries(capacity).filter(([each]) => each.startsWith('hugepages-'));
  return sizes.reduce((sum, [, text]) => sum + (parseQuantity(text) ?? 0), 0);
}

function format(name: string, amount: number): string {
  if (name === 'cpu') {
    const milli = Math.round(amount * 1000);
    return milli % 1000 === 0 ? String(milli / 1000) : `${milli}m`;
  }
  return name === 'memory' || name === 'ephemeral-storage'
    ? `${Math.floor(amount / 1024)}Ki`
    : String(amount);
}
