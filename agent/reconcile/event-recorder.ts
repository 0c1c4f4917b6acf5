import { randomUUID } from 'node:crypto';

/** Whose event it is. */
export interface EventSubject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** `spec.containers{web}`, or empty. */
  readonly fieldPath: string;
}

export interface RecordedEvent extends EventSubject {
  readonly id: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
}

/** Repetitions are told when there are twice as many, or after this long: links are metered. */
const TELL_AGAIN_MS = 300_000;
/** Events kept while there is no connection; the oldest go first, and their number is told. */
const CAPACITY = 256;

/** Kubernetes Events of this device, repetitions merged, in memory: a bounded ring, taken from when the hub listens. */
export class EventRecorder {
  readonly #now: () => number;
  readonly #onEvent: () => void;
  readonly #events = new Map<string, RecordedEvent>(); // by what makes two of them one; oldest first
  readonly #unsent = new Set<string>();
  readonly #toldAtMs = new Map<string, number>();
  #dropped = 0;

  constructor(now: () => number, onEvent: () => void) {
    this.#now = now;
    this.#onEvent = onEvent;
  }

  record(subject: EventSubject, type: RecordedEvent['type'], reason: string, message: string): void {
    const key = [subject.uid, subject.fieldPath, type, reason, message].join('\0');
    const before = this.#events.get(key);
    const atMs = this.#now();
    const count = (before?.count ?? 0) + 1;
    this.#events.delete(key); // to the end of the order
    this.#events.set(key, {
      ...subject,
      id: before?.id ?? randomUUID(),
      type,
      reason,
      message,
      count,
      firstAtMs: before?.firstAtMs ?? atMs,
      lastAtMs: atMs,
    });
    this.#dropOldest();
    const sinceToldMs = Math.abs(atMs - (this.#toldAtMs.get(key) ?? Number.NEGATIVE_INFINITY)); // clocks are set back too
    if (!Number.isInteger(Math.log2(count)) && sinceToldMs < TELL_AGAIN_MS) return;
    this.#toldAtMs.set(key, atMs);
    this.#unsent.add(key);
    this.#onEvent();
  }

  /** Everything not yet taken, oldest first, and how many were lost for want of room since the last time. */
  take(): { events: RecordedEvent[]; dropped: number } {
    const events = [...this.#unsent].flatMap((key) => this.#events.get(key) ?? []);
    const dropped = this.#dropped;
    this.#unsent.clear();
    this.#dropped = 0;
    return { events, dropped };
  }

  #dropOldest(): void {
    if (this.#events.size <= CAPACITY) return;
    const [oldest] = this.#events.keys();
    if (oldest === undefined) return;
    this.#events.delete(oldest);
    this.#toldAtMs.delete(oldest);
    if (this.#unsent.delete(oldest)) this.#dropped += 1;
  }
}
