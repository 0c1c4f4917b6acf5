import type { RecordedEvent } from './event-recorder.ts';
import type { PullEnd } from './images.ts';

type Told = Pick<RecordedEvent, 'type' | 'reason' | 'message'>;

/** What is told of a pull that has ended, in Kubernetes' words: pure. */
export function eventsOfPull(image: string, end: PullEnd): Told[] {
  const { failure, wasThere, tookMs, waitedMs, sizeBytes } = end;
  if (failure)
    return [
      { type: 'Warning', reason: 'Failed', message: `Failed to pull image "${image}": ${failure.message}` },
      { type: 'Normal', reason: 'BackOff', message: `Back-off pulling image "${image}"` },
    ];
  if (wasThere) return []; // which is told when a container is made of it
  const message = `Successfully pulled image "${image}" in ${formatDuration(tookMs)} (${formatDuration(waitedMs)} including waiting). Image size: ${sizeBytes} bytes.`;
  return [{ type: 'Normal', reason: 'Pulled', message }];
}

export function progressMessage(image: string, doneBytes: number, totalBytes: number): string {
  const percent = Math.floor((doneBytes / totalBytes) * 100);
  return `Pulling image "${image}": ${doneBytes} of ${totalBytes} bytes (${percent} %)`;
}

/** As Go writes it: `852ms`, `1.2s`, `1m2.5s`. */
export function formatDuration(ms: number): string {
  const whole = Math.max(0, Math.floor(ms));
  if (whole < 1000) return `${whole}ms`;
  const minutes = Math.floor(whole / 60_000);
  const seconds = `${(whole % 60_000) / 1000}s`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
