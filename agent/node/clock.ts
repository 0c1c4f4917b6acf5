import { X509Certificate } from 'node:crypto';
import type { NodeCondition } from 'kubernetes-types/core/v1.d.ts';
import { timeText } from '../time-text.ts';

/** Clocks of hubs and devices may differ by so much. */
const TOLERANCE_MS = 60_000;
const RETRY_MS = 60_000;

/** Since when the certificate is good: the hub's word for a time that has passed. 0 for what is no certificate. */
export function notBeforeMs(certificate: string): number {
  try {
    return Date.parse(new X509Certificate(certificate).validFrom) || 0;
  } catch {
    return 0;
  }
}

/** Whether the device's clock can be right: times that have passed are behind it. Pure. `at`: RFC 3339. */
export function clockCondition(nowMs: number, passedMs: number, at: string): NodeCondition {
  const isBehind = nowMs + TOLERANCE_MS < passedMs;
  const passed = timeText(passedMs);
  return {
    type: 'ClockUntrusted',
    status: isBehind ? 'True' : 'False',
    reason: isBehind ? 'ClockIsBehind' : 'ClockIsPlausible',
    message: isBehind
      ? `the clock of this device is behind ${passed}, when it joined its hub: times that it tells are wrong`
      : 'the clock of this device is not behind any time that is known to have passed',
    lastHeartbeatTime: at,
    lastTransitionTime: at,
  };
}

export interface ClockOptions {
  /** A time that has passed. */
  readonly passedMs: number;
  readonly now: () => number;
  /** It was wrong, and may be right now. */
  readonly onRight: () => void;
  readonly retryMs?: number;
}

/** What is told of the device's clock. Only one that is wrong is looked at again: nothing says when it is set. */
export class Clock {
  readonly #options: ClockOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ClockOptions) {
    this.#options = options;
  }

  condition(at: string): NodeCondition {
    const { passedMs, now } = this.#options;
    const condition = clockCondition(now(), passedMs, at);
    if (condition.status === 'True') this.#await();
    return condition;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #await(): void {
    const { passedMs, now, onRight, retryMs = RETRY_MS } = this.#options;
    this.#timer ??= setInterval(() => {
      if (now() + TOLERANCE_MS < passedMs) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
      onRight();
    }, retryMs).unref();
  }
}
