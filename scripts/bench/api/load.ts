import type { Answer, Connection } from './connection.ts';

export interface Load {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** Sends `count` requests from all connections at once, each sending its next when it has its answer. */
export async function loadWith(
  connections: readonly Connection[],
  count: number,
  request: (connection: Connection, index: number) => Promise<Answer>,
): Promise<Load> {
  const latencies: number[] = [];
  let next = 0;
  const startedAt = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      while (next < count) {
        const index = next++;
        const sentAt = performance.now();
        const { status } = await request(connection, index);
        if (status >= 300) throw new Error(`request ${index} was answered with ${status}`);
        latencies.push(performance.now() - sentAt);
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  return { perSecond: count / seconds, p99Ms: percentile(latencies, 99) };
}

export function percentile(samples: readonly number[], percent: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}
