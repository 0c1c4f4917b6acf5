import { setTimeout } from 'node:timers/promises';
import type { Measurement } from '../result.ts';
import type { Connection } from './connection.ts';
import type { BenchHub } from './hub.ts';
import { type Load, loadWith, percentile } from './load.ts';
import { configMapJson, nodeJson, podJson } from './objects.ts';
import { Watchers } from './watchers.ts';

const CLIENTS = 32;
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

export interface ApiBench {
  readonly hub: BenchHub;
  readonly isQuick: boolean;
  readonly repeat: number;
}

export async function withClients<T>(
  { hub }: ApiBench,
  use: (clients: readonly Connection[]) => Promise<T>,
): Promise<T> {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => hub.connect()));
  try {
    return await use(clients);
  } finally {
    for (const client of clients) client.close();
  }
}

const row = (name: string, unit: Measurement['unit'], samples: number[], goal?: Measurement['goal']) => ({
  name,
  variant: '',
  unit,
  samples,
  floor: [],
  goal,
});
const least = (value: number) => ({ type: 'at-least' as const, least: value });
const most = (value: number) => ({ type: 'value' as const, most: value });

/** Creates, replaces and reads. The first round only warms up. */
export async function requests(bench: ApiBench): Promise<Measurement[]> {
  const count = bench.isQuick ? 2_000 : 10_000;
  const rounds: { create: Load; replace: Load; get: Load }[] = [];
  await withClients(bench, async (clients) => {
    for (let round = 0; round <= bench.repeat; round += 1) {
      const name = (index: number) => `r${round}-${index}`;
      const text = 'x'.repeat(200);
      rounds.push({
        create: await loadWith(clients, count, (client, index) =>
          client.request('POST', CONFIG_MAPS, configMapJson(name(index), text)),
        ),
        replace: await loadWith(clients, count, (client, index) =>
          client.request('PUT', `${CONFIG_MAPS}/${name(index)}`, configMapJson(name(index), `${text}y`)),
        ),
        get: await loadWith(clients, count, (client, index) =>
          client.request('GET', `${CONFIG_MAPS}/${name(index)}`),
        ),
      });
      await loadWith(clients, count, (client, index) =>
        client.request('DELETE', `${CONFIG_MAPS}/${name(index)}`),
      );
    }
  });
  const measured = rounds.slice(1);
  const loads = (kind: 'create' | 'replace' | 'get') => measured.map((round) => round[kind]);
  return (['create', 'replace', 'get'] as const).flatMap((kind) => [
    row(
      `${kind}, ${CLIENTS} clients`,
      '/s',
      loads(kind).map(({ perSecond }) => perSecond),
      least(kind === 'get' ? 6_000 : 2_000),
    ),
    row(
      `${kind}, ${CLIENTS} clients: p99`,
      'ms',
      loads(kind).map(({ p99Ms }) => p99Ms),
      kind === 'get' ? undefined : most(50),
    ),
  ]);
}

/** Pods of a node that is not there would be collected. */
export async function makeNode(bench: ApiBench): Promise<void> {
  const client = await bench.hub.connect();
  await client.request('POST', '/api/v1/nodes', nodeJson());
  client.close();
}

export async function makePods(bench: ApiBench, from: number, to: number): Promise<void> {
  await withClients(bench, (clients) =>
    loadWith(clients, to - from, (client, index) =>
      client.request('POST', PODS, podJson(`pod-${String(from + index).padStart(6, '0')}`)),
    ),
  );
}

/** All of them in one answer, uncompressed. */
export async function lists(bench: ApiBench, pods: number): Promise<Measurement[]> {
  const client = await bench.hub.connect();
  const times = async (accept: string) => {
    const samples: number[] = [];
    for (let round = 0; round <= bench.repeat; round += 1) {
      const startedAt = performance.now();
      const { status } = await client.request('GET', PODS, undefined, accept);
      if (status !== 200) throw new Error(`the list was answered with ${status}`);
      samples.push(performance.now() - startedAt);
    }
    return samples.slice(1);
  };
  const [json, table] = [await times('application/json'), await times(TABLE)];
  client.close();
  return [
    row(`list of ${pods} pods as JSON`, 'ms', json, most(400)),
    row(`list of ${pods} pods as Table`, 'ms', table, most(250)),
  ];
}

/** How long after a change's answer the last of many watchers has it. */
export async function watches(bench: ApiBench): Promise<Measurement[]> {
  const count = bench.isQuick ? 200 : 1_000;
  const watchers = await Watchers.open(bench.hub.credentials, count);
  const client = await bench.hub.connect();
  const samples: number[] = [];
  const changes = bench.isQuick ? 20 : 100;
  for (let index = 0; index < changes; index += 1) {
    const name = `watched-${index}`;
    const startedAt = performance.now();
    const seen = watchers.all(name);
    await client.request('POST', PODS, podJson(name));
    samples.push((await seen) - startedAt);
    await setTimeout(Math.random() * 20);
  }
  client.close();
  watchers.close();
  return [row(`a change seen by ${count} watches: p99`, 'ms', [percentile(samples, 99)], most(250))];
}

export async function size(bench: ApiBench, pods: number): Promise<Measurement[]> {
  const restartMs = await bench.hub.restart();
  const client = await bench.hub.connect();
  const { begin } = await client.request('GET', `${PODS}?limit=1`);
  client.close();
  const left = Number(/"remainingItemCount":(\d+)/.exec(begin)?.[1]);
  if (!(left + 1 >= pods))
    throw new Error(`${pods} pods were stored, after the restart there are ${left + 1}`);
  await setTimeout(3_000);
  const { rssMib } = bench.hub.program.memory();
  return [
    row(`restart to readyz, ${pods} pods`, 'ms', [restartMs], most(5_000)),
    row(`hub RSS, ${pods} pods`, 'MiB', [rssMib], most(700)),
  ];
}

/** Creates, changes and deletes at 100 a second; how much the hub grows from the first tenth on. */
export async function churn(bench: ApiBench, seconds: number): Promise<Measurement[]> {
  const client = await bench.hub.connect();
  const perSecond = 100;
  let growthFrom = 0;
  const total = seconds * perSecond;
  const startedAt = performance.now();
  for (let index = 0; index < total; index += 3) {
    const name = `churn-${index}`;
    await client.request('POST', CONFIG_MAPS, configMapJson(name, 'a'.repeat(300)));
    await client.request('PUT', `${CONFIG_MAPS}/${name}`, configMapJson(name, 'b'.repeat(300)));
    await client.request('DELETE', `${CONFIG_MAPS}/${name}`);
    if (growthFrom === 0 && index > total / 4) growthFrom = bench.hub.program.memory().anonymousMib;
    const dueMs = startedAt + (index / perSecond) * 1_000 - performance.now();
    if (dueMs > 0) await setTimeout(dueMs);
  }
  client.close();
  const growth = bench.hub.program.memory().anonymousMib - growthFrom;
  return [row(`growth over ${seconds} s of churn, from a quarter on`, 'MiB', [growth])];
}
