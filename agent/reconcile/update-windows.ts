import { type PodUpdate, WAITING_FOR_WINDOW } from '../../proto/pod-update.ts';
import type { Wait } from '../pod/consent.ts';
import { timeText } from '../time-text.ts';

export interface UpdateWindowsOptions {
  readonly monotonicMs: () => number;
  /** Ms of the wall clock. */
  readonly now: () => number;
  /** What windows are read with is there: all that wait for it must be looked at. */
  readonly onLoaded: () => void;
}

/** Between hub and device; what is more is wrong. */
const CLOCK_TOLERANCE_MS = 60_000;
const CLOCK_RETRY_MS = 60_000;
const CLOSED = { reason: WAITING_FOR_WINDOW };

/** When new pods may begin, by the windows of their policies. */
export class UpdateWindows {
  readonly #options: UpdateWindowsOptions;
  #opensAt: typeof import('../pod/window.ts').opensAt | undefined;
  #loading: Promise<void> | undefined;

  constructor(options: UpdateWindowsOptions) {
    this.#options = options;
  }

  /** Whether it has to wait for a window. What reads schedules is loaded when the first one is met. */
  closed({ windows, clockUntrusted, saidAt }: PodUpdate): Wait | undefined {
    const { now, monotonicMs, onLoaded } = this.#options;
    if (!windows?.length) return undefined;
    const wallMs = now();
    const nowMs = monotonicMs();
    if (saidAt !== undefined && wallMs < Date.parse(saidAt) - CLOCK_TOLERANCE_MS) {
      const message = 'the clock of this device is behind the time at which the hub asked: it is not trusted';
      return clockUntrusted === 'run' ? undefined : { ...CLOSED, message, untilMs: nowMs + CLOCK_RETRY_MS };
    }
    if (!this.#opensAt) {
      this.#loading ??= import('../pod/window.ts').then(({ opensAt }) => {
        this.#opensAt = opensAt;
        onLoaded();
      });
      return { ...CLOSED, message: 'its windows are looked at', untilMs: Number.POSITIVE_INFINITY };
    }
    const opensAtMs = this.#opensAt(windows, wallMs);
    if (opensAtMs === wallMs) return undefined;
    if (opensAtMs === undefined)
      return { ...CLOSED, message: 'none of its windows ever opens', untilMs: Number.POSITIVE_INFINITY };
    // The clock of the wall may be set meanwhile: it is looked at again before long.
    const waitMs = Math.min(opensAtMs - wallMs, CLOCK_RETRY_MS);
    return {
      ...CLOSED,
      message: `its window opens at ${timeText(opensAtMs)}`,
      untilMs: nowMs + waitMs,
    };
  }
}
