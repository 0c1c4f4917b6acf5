import { canonicalJson } from '../../proto/canonical-json.ts';
import type { RecordedEvent } from '../reconcile/event-recorder.ts';
import type { UpMessage } from './link.ts';

/** An object whose status the device tells. */
export interface Reported {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Undefined: deleted, and nothing of it is left here. */
  readonly status: object | undefined;
  /** Of a pod that the device runs by itself: what the hub is to show. Then no status means that it is not known yet. */
  readonly staticPod?: object;
}

export interface ReporterOptions {
  /** The status of everything there is, for a report that leaves nothing out. */
  readonly everything: () => readonly Reported[];
  readonly events: { take(): { events: RecordedEvent[]; dropped: number } };
}

interface Encoded {
  readonly object: Reported;
  readonly json: string;
}

/**
 * Tells the hub the status of the device's objects: state, not a log. Of each object only the newest status is kept;
 * one report is under way at a time, and what changes meanwhile goes with the next. While there is no connection nothing
 * piles up: a new one begins with everything.
 */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #told = new Map<string, string>(); // what the hub has, or will have with the report under way
  readonly #changed = new Map<string, Encoded>();
  #send: ((message: UpMessage) => void) | undefined;
  #sequence = 0n;
  #underWay = false;
  #hasEvents = false;
  #scheduled = false;
  #waiting: (() => void)[] = [];

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** A connection is open and the hub listens: everything is told. */
  begin(send: (message: UpMessage) => void): void {
    this.#send = send;
    this.#sequence = 0n;
    this.#told.clear();
    this.#changed.clear();
    const all = this.#options.everything().map(encode);
    for (const { object, json } of all) this.#told.set(keyOf(object), json);
    this.#report(all, true);
  }

  end(): void {
    this.#send = undefined;
    this.#underWay = false;
    this.#wake();
  }

  /** Resolves when the hub has all that there is to tell, or when it cannot be told. */
  async told(): Promise<void> {
    while (this.#send && (this.#underWay || this.#hasNews()))
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  update(object: Reported): void {
    if (!this.#send) return;
    const encoded = encode(object);
    if (this.#told.get(keyOf(object)) === encoded.json) this.#changed.delete(keyOf(object));
    else this.#changed.set(keyOf(object), encoded);
    this.#schedule();
  }

  eventsWaiting(): void {
    this.#hasEvents = true;
    this.#schedule();
  }

  acknowledged(sequence: bigint): void {
    if (sequence !== this.#sequence) return;
    this.#underWay = false;
    this.#flush();
    this.#wake();
  }

  /** What changes in one turn of the event loop goes together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#send || this.#underWay) return;
    if (!this.#hasNews()) return;
    const objects = [...this.#changed.values()];
    this.#changed.clear();
    for (const { object, json } of objects) {
      if (object.status || object.staticPod) this.#told.set(keyOf(object), json);
      else this.#told.delete(keyOf(object));
    }
    this.#report(objects, false);
  }

  #hasNews(): boolean {
    return this.#changed.size > 0 || this.#hasEvents;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  #report(objects: readonly Encoded[], complete: boolean): void {
    this.#sequence += 1n;
    this.#underWay = true;
    this.#hasEvents = false;
    const { events, dropped } = this.#options.events.take();
    this.#send?.({
      case: 'statusReport',
      value: {
        sequence: this.#sequence,
        complete,
        objects: objects.map(({ object: { kind, namespace, name, uid, status, staticPod }, json }) => ({
          kind,
          namespace,
          name,
          uid,
          ...(status && { status: Buffer.from(json) }),
          ...(staticPod && { staticPod: Buffer.from(canonicalJson(staticPod)) }),
          ...(!status && !staticPod && { gone: true }),
        })),
        events: events.map(eventMessage),
        droppedEvents: dropped,
      },
    });
  }
}

function encode(object: Reported): Encoded {
  return { object, json: object.status ? canonicalJson(object.status) : '' };
}

function keyOf({ kind, uid, name }: Reported): string {
  return `${kind}/${uid}/${name}`;
}

function eventMessage({ id, uid, firstAtMs, lastAtMs, ...event }: RecordedEvent) {
  return {
    ...event,
    uid: id,
    objectUid: uid,
    firstAtMs: BigInt(Math.round(firstAtMs)),
    lastAtMs: BigInt(Math.round(lastAtMs)),
  };
}
