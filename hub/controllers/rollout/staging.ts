import type { RolloutPolicySpec } from '../../fleet/rollout-policy.ts';
import { atMs, isStarting, type Tracked } from './device-plan.ts';

const MINUTE_MS = 60_000;

/**
 * Who may begin to download now: those of the present wave first, so many at a time, so many a minute. Pure.
 */
export function stageable(
  stage: RolloutPolicySpec['stage'],
  devices: readonly Pick<Tracked, 'node' | 'isOnline' | 'row'>[],
  wave: string | undefined,
  nowMs: number,
): { readonly nodes: ReadonlySet<string>; readonly wakeInMs: number | undefined } {
  const waiting = devices.filter(
    ({ isOnline, row }) => isOnline && row.step === 'Waiting' && !isStarting(row),
  );
  if (!stage || waiting.length === 0) return { nodes: new Set(), wakeInMs: undefined };
  const busy = devices.filter(({ row }) => row.step === 'Staging');
  const atOnce = stage.maxConcurrent - busy.filter(({ isOnline }) => isOnline).length;
  const { allowed, wakeInMs } = withinRate(stage.rate, devices, nowMs);
  const inOrder = waiting.toSorted((a, b) => Number(b.row.wave === wave) - Number(a.row.wave === wave));
  const chosen = inOrder.slice(0, Math.max(0, Math.min(atOnce, allowed)));
  const isHeldByRate = allowed < Math.min(atOnce, waiting.length);
  return { nodes: new Set(chosen.map(({ node }) => node)), wakeInMs: isHeldByRate ? wakeInMs : undefined };
}

type Rate = NonNullable<RolloutPolicySpec['stage']>['rate'];

/** How many may begin now, by how many began in the last minute. */
function withinRate(
  rate: Rate,
  devices: readonly Pick<Tracked, 'row'>[],
  nowMs: number,
): { readonly allowed: number; readonly wakeInMs: number | undefined } {
  if (!rate) return { allowed: Number.POSITIVE_INFINITY, wakeInMs: undefined };
  const staged = devices.filter(({ row }) => row.step !== 'Waiting' && row.step !== 'Staging').length;
  const perMinute = rate.basePerMinute * rate.factor ** Math.floor(staged / rate.afterSucceeded);
  const recent = devices
    .filter(({ row }) => row.stagingAt !== undefined)
    .map(({ row }) => nowMs - atMs(row.stagingAt))
    .filter((ago) => ago < MINUTE_MS);
  const wakeInMs = recent.length > 0 ? MINUTE_MS - recent.reduce((a, b) => Math.max(a, b)) : undefined;
  return { allowed: Math.floor(perMinute) - recent.length, wakeInMs };
}
