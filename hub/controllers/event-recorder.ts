import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Registry } from '../registry/registry.ts';
import type { KubeObject } from '../resources/object.ts';
import { events } from '../resources/table-of-resources.ts';
import { formatTime } from '../resources/time.ts';
import type { EventObject } from '../resources/typed.ts';

/** Who reports: the names that Kubernetes' own parts use, since people search for them. */
export type EventSource =
  | 'deployment-controller'
  | 'replicaset-controller'
  | 'daemonset-controller'
  | 'job-controller'
  | 'cronjob-controller'
  | 'node-controller'
  | 'git-source-controller'
  | 'rollout-controller'
  | 'agent-release-controller'
  | 'configuration-controller'
  | 'taint-eviction-controller'
  | 'certificate-controller'
  | 'persistentvolume-controller'
  | 'default-scheduler';

export interface EventText {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Kubernetes' limits: so many at once about one object from one source, then one every so often. */
const BURST = 25;
const REFILL_MS = 300_000;
/** Beyond it the oldest are forgotten: they are then written as new ones. */
const REMEMBERED = 4096;

interface Allowance {
  tokens: number;
  atMs: number;
}

export interface EventRecorderOptions {
  readonly registry: Registry;
  readonly log: Logger;
  readonly now: () => number;
}

/**
 * Writes v1 Events for `kubectl describe`, beside the work that they tell of: a sync never waits for one, and one
 * that cannot be written is lost. The same words about the same object are counted, not repeated.
 */
export class EventRecorder {
  readonly #registry: Registry;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #names = new Map<string, string>(); // what was said of which object → the Event's name
  readonly #allowances = new Map<string, Allowance>();
  readonly #writes = new Set<Promise<void>>();
  #isStopped = false;

  constructor({ registry, log, now }: EventRecorderOptions) {
    this.#registry = registry;
    this.#log = log;
    this.#now = now;
  }

  record(source: EventSource, about: KubeObject, text: EventText): void {
    if (this.#isStopped || !this.#isAllowed(`${source} ${about.metadata.uid}`)) return;
    const write = this.#write(source, about, text).catch((error: unknown) => {
      this.#log.debug({ err: error, reason: text.reason }, 'event lost');
    });
    this.#writes.add(write);
    void write.finally(() => this.#writes.delete(write));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#writes);
  }

  #isAllowed(key: string): boolean {
    const nowMs = this.#now();
    const { tokens, atMs } = this.#allowances.get(key) ?? { tokens: BURST, atMs: nowMs };
    const available = Math.min(BURST, tokens + (nowMs - atMs) / REFILL_MS);
    remember(this.#allowances, key, { tokens: Math.max(available - 1, 0), atMs: nowMs });
    return available >= 1;
  }

  async #write(source: EventSource, about: KubeObject, text: EventText): Promise<void> {
    const said = [source, about.metadata.uid, text.type, text.reason, text.message].join('\n');
    const event = eventAbout(about, source, text, this.#now());
    const { namespace } = event.metadata;
    const name = this.#names.get(said) ?? event.metadata.name ?? '';
    remember(this.#names, said, name);
    const change = (current: KubeObject | undefined) =>
      current ? counted(current as EventObject, event) : { ...event, metadata: { ...event.metadata, name } };
    await this.#registry.modify(events, namespace, name, change, { fieldManager: source });
  }
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED && oldest !== undefined) map.delete(oldest);
}

function counted(current: EventObject, { lastTimestamp }: EventObject): EventObject {
  return { ...current, count: (current.count ?? 1) + 1, ...(lastTimestamp && { lastTimestamp }) };
}

/** A new Event; things without a namespace have theirs in `default`. */
function eventAbout(about: KubeObject, source: EventSource, text: EventText, nowMs: number): EventObject {
  const { name = '', namespace, uid, resourceVersion } = about.metadata;
  const at = formatTime(nowMs);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: `${name}.${randomBytes(8).toString('hex')}`,
      namespace: namespace ?? 'default',
    },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      name,
      ...(namespace && { namespace }),
      ...(uid && { uid }),
      ...(resourceVersion && { resourceVersion }),
    },
    ...text,
    source: { component: source },
    reportingComponent: source,
    reportingInstance: '',
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
  };
}
