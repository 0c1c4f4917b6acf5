import { bundle } from '../../bundle.ts';
import type { Measurement } from '../result.ts';
import { BenchHub } from './hub.ts';
import { type ApiBench, churn, lists, makeNode, makePods, requests, size, watches } from './subjects.ts';

const LISTED = 10_000;
const STORED = 50_000;

export interface ApiOptions {
  readonly isQuick: boolean;
  readonly repeat: number;
  readonly profileDir: string | undefined;
  /** An hour shows what a minute may hide. */
  readonly churnSeconds: number;
}

/** What the hub's API can take, without devices. */
export async function measureApi(
  { isQuick, repeat, profileDir, churnSeconds }: ApiOptions,
  open: { close(): Promise<void> | void }[],
): Promise<Measurement[]> {
  await bundle();
  const hub = await BenchHub.start(profileDir);
  open.push(hub);
  const bench: ApiBench = { hub, isQuick, repeat };
  const [listed, stored] = isQuick ? [2_000, 5_000] : [LISTED, STORED];
  const steps: [string, () => Promise<Measurement[]>][] = [
    ['requests', () => requests(bench)],
    ['watches', () => makeNode(bench).then(() => watches(bench))],
    ['lists', () => makePods(bench, 0, listed).then(() => lists(bench, listed))],
    ['churn', () => churn(bench, churnSeconds)],
    ['size', () => makePods(bench, listed, stored).then(() => size(bench, stored))],
  ];
  const measured: Measurement[] = [];
  for (const [name, measure] of steps) {
    console.log(`api: ${name} ...`);
    measured.push(...(await measure()));
  }
  return measured;
}
