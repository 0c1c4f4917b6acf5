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
/** Of more than so many in this time that only their messages tell apart, one is made, as the kubelet does. */
const SIMILAR = { most: 10, withinMs: 600_000, message: '(combined from similar events): ' };
/** Events kept while there is no connection; the oldest go first, and their number is told. */
const CAPACITY = 256;

/** Kubernetes Events of this device, repetitions merged, in memory: a bounded ring, taken from when the hub listens. */
export class EventRecorder {
  readonly #now: () => number;
  readonly #onEvent: () => void;
  readonly #events = new Map<string, RecordedEvent>(); // by what makes two of them one; oldest first
  readonly #unsent = new Set<string>();
  readonly #toldAtMs = new Map<string, number>();
  /** By what similar events have in common; oldest first. */
  readonly #similar = new Map<string, { readonly sinceMs: number; readonly messages: Set<string> }>();
  #dropped = 0;

  constructor(now: () => number, onEvent: () => void) {
    this.#now = now;
    this.#onEvent = onEvent;
  }

  record(subject: EventSubject, type: RecordedEvent['type'], reason: string, message: string): void {
    const atMs = this.#now();
    const kind = [subject.uid, subject.fieldPath, type, reason].join('\0');
    const isOneOfMany = this.#isOneOfMany(kind, message, atMs);
    const key = `${kind}\0${isOneOfMany ? SIMILAR.message : message}`;
    const before = this.#events.get(key);
    const count = (before?.count ?? 0) + 1;
    this.#events.delete(key); // to the end of the order
    this.#events.set(key, {
      ...subject,
      id: before?.id ?? randomUUID(),
      type,
      reason,
      message: isOneOfMany ? `${SIMILAR.message}${message}` : message,
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

  #isOneOfMany(kind: string, message: string, atMs: number): boolean {
    const found = this.#similar.get(kind);
    const isFresh = found && Math.abs(atMs - found.sinceMs) < SIMILAR.withinMs;
    const { sinceMs, messages } = isFresh ? found : { sinceMs: atMs, messages: new Set<string>() };
    if (messages.has(message)) return false;
    if (messages.size >= SIMILAR.most) return true;
    this.#similar.delete(kind); // to the end of the order
    this.#similar.set(kind, { sinceMs, messages: messages.add(message) });
    const [oldest] = this.#similar.keys();
    if (this.#similar.size > CAPACITY && oldest !== undefined) this.#similar.delete(oldest);
    return false;
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
