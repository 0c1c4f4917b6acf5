import type { DeviceUpdateObject } from '../../fleet/device-update.ts';
import type { RolloutObject } from '../../fleet/rollout.ts';
import { counted } from '../../resources/counted.ts';
import { humanDuration } from '../../resources/human-duration.ts';
import { type Table, tableText } from '../print.ts';
import type { Rehearsal } from './rehearsal-plan.ts';

/*
 * What is told of a rehearsal. Pure.
 */

/** How it went, for programs. */
export interface RehearsalReport {
  readonly workload: string;
  readonly devices: number;
  readonly phase: string;
  readonly message: string;
  readonly seconds: number;
  readonly waves: readonly {
    readonly name: string;
    readonly phase: string;
    readonly devices: number;
    readonly succeeded: number;
    /** Of those that succeeded. */
    readonly unhealthy: number;
    readonly failed: number;
    readonly lost: number;
    readonly dark: number;
    readonly seconds?: number;
  }[];
  /** Real devices whose stand-ins did not take the revision, and why. */
  readonly failures: readonly { readonly node: string; readonly wave: string; readonly why: string }[];
  readonly notes: readonly string[];
}

export function rehearsalReport(
  { devices, notes }: Rehearsal,
  rollout: RolloutObject,
  rows: readonly DeviceUpdateObject[],
  tookMs: number,
): RehearsalReport {
  const { spec, status = {} } = rollout;
  const realName = new Map(devices.map(({ name, node }) => [name, node]));
  const failures = rows
    .map((row) => row.spec)
    .filter(({ step, class: is }) => is === 'lost' || FAILED_STEPS.includes(step))
    .map(({ node, wave, step, reason, message, class: is }) => ({
      node: realName.get(node) ?? node,
      wave,
      why: [is === 'lost' ? 'lost' : step, reason, message].filter(Boolean).join(': '),
    }));
  return {
    workload: spec.workload.name,
    devices: devices.length,
    phase: status.phase ?? 'Pending',
    message: status.message ?? '',
    seconds: seconds(tookMs),
    waves: (status.waves ?? []).map((wave) => {
      const { name, phase, devices: all, succeeded, unhealthy = 0, failed, lost, dark } = wave;
      const { startedAt, finishedAt } = wave;
      const took = startedAt && finishedAt ? Date.parse(finishedAt) - Date.parse(startedAt) : undefined;
      const counts = { devices: all, succeeded, unhealthy, failed, lost, dark };
      return { name, phase, ...counts, ...(took !== undefined && { seconds: seconds(took) }) };
    }),
    failures,
    notes,
  };
}

const FAILED_STEPS: readonly string[] = ['Rejected', 'Failed'];
const seconds = (ms: number) => Math.round(ms / 100) / 10;

const FAILURES_TOLD = 20;

export function rehearsalText(report: RehearsalReport, columns?: number): string {
  const { workload, devices, phase, message, waves, failures, notes } = report;
  const unhealthy = waves.some((wave) => wave.unhealthy > 0) ? ['UNHEALTHY'] : [];
  const table: Table = {
    head: ['WAVE', 'PHASE', 'DEVICES', 'SUCCEEDED', ...unhealthy, 'FAILED', 'LOST', 'DARK', 'TOOK'],
    rows: waves.map((wave) => [
      wave.name,
      wave.phase,
      `${wave.devices}`,
      `${wave.succeeded}`,
      ...unhealthy.map(() => `${wave.unhealthy}`),
      `${wave.failed}`,
      `${wave.lost}`,
      `${wave.dark}`,
      wave.seconds === undefined ? '' : `${wave.seconds}s`,
    ]),
  };
  const failed: Table = {
    head: ['DEVICE', 'WAVE', 'WHY'],
    rows: failures.slice(0, FAILURES_TOLD).map(({ node, wave, why }) => [node, wave, why]),
  };
  const more = failures.length - FAILURES_TOLD;
  return [
    '',
    `${workload} on ${counted(devices, 'simulated device', 'simulated devices')}: ${phase} after ${humanDuration(report.seconds * 1000)}${message ? ` (${message})` : ''}`,
    '',
    tableText(table, columns),
    ...(failures.length > 0 ? ['', tableText(failed, columns)] : []),
    ...(more > 0 ? [`and ${more} more`] : []),
    ...(notes.length > 0 ? ['', ...notes.map((note) => `Note: ${note}`)] : []),
  ].join('\n');
}
