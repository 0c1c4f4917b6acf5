import { Cron } from 'croner';
import type { UpdateWindow } from '../../proto/pod-update.ts';

/**
 * When the next of the windows is open: now, or a time to come; undefined when none ever opens. Times are of the wall, in
 * ms. Without a time zone a window goes by the device's own.
 */
export function opensAt(windows: readonly UpdateWindow[], nowMs: number): number | undefined {
  const times = windows.map((window) => openingOf(window, nowMs)).filter((atMs) => atMs !== undefined);
  return times.length > 0 ? Math.min(...times) : undefined;
}

function openingOf({ schedule, durationSeconds, timeZone }: UpdateWindow, nowMs: number): number | undefined {
  const cron = new Cron(schedule, { ...(timeZone && { timezone: timeZone }), paused: true });
  // The first that began so late that it is not over.
  const begins = cron.nextRun(new Date(nowMs - durationSeconds * 1000))?.getTime();
  return begins === undefined ? undefined : Math.max(begins, nowMs);
}
