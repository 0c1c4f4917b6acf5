import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RequestLog, RequestObserver } from '../api/request-log.ts';

/** Kubernetes' names for verbs in metrics; the rest is in upper case. */
const VERBS: Readonly<Record<string, string>> = { create: 'POST', update: 'PUT', patch: 'PATCH' };
const APPLY = 'application/apply-patch+yaml';
/** Requests that last as long as the client wants. */
const STREAMS: readonly string[] = ['log', 'exec', 'attach', 'portforward', 'proxy'];
/** Seconds; those of Kubernetes, up to where a request is lost anyway. */
const BUCKETS = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
];
const LABELS = ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'] as const;
const MUTATING: readonly string[] = ['POST', 'PUT', 'PATCH', 'APPLY', 'DELETE', 'DELETECOLLECTION'];

type Labels = Readonly<Record<(typeof LABELS)[number], string>>;

/** Counts and times requests, under the names that Kubernetes' own API server has for them. */
export class RequestMetrics implements RequestObserver {
  readonly #total: Counter<(typeof LABELS)[number] | 'code'>;
  readonly #duration: Histogram<(typeof LABELS)[number]>;
  readonly #inFlight: Gauge<'request_kind'>;
  readonly #started = new WeakSet<RequestLog>();
  readonly #longRunning: Gauge<(typeof LABELS)[number]>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#total = new Counter({
      name: 'apiserver_request_total',
      help: 'Requests by verb, kind and answer.',
      labelNames: [...LABELS, 'code'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'apiserver_request_duration_seconds',
      help: 'Time until the answer, of all requests that do not last as long as the client wants.',
      labelNames: LABELS,
      buckets: BUCKETS,
      registers,
    });
    this.#inFlight = new Gauge({
      name: 'apiserver_current_inflight_requests',
      help: 'Requests that are being answered.',
      labelNames: ['request_kind'],
      registers,
    });
    this.#longRunning = new Gauge({
      name: 'apiserver_longrunning_requests',
      help: 'Watches, logs and connections to containers that are open.',
      labelNames: LABELS,
      registers,
    });
  }

  started(log: RequestLog): void {
    this.#started.add(log);
    const labels = labelsOf(log);
    if (isLong(labels)) this.#longRunning.inc(labels);
    else this.#inFlight.inc({ request_kind: kindOf(labels) });
  }

  ended(log: RequestLog, code: number, nowMs: number): void {
    const labels = labelsOf(log);
    this.#total.inc({ ...labels, code: String(code) });
    if (!this.#started.has(log)) return; // refused at the door
    if (isLong(labels)) {
      this.#longRunning.dec(labels);
      return;
    }
    this.#inFlight.dec({ request_kind: kindOf(labels) });
    this.#duration.observe(labels, (nowMs - log.receivedMs) / 1000);
  }
}

function isLong({ verb, subresource }: Labels): boolean {
  return verb === 'WATCH' || STREAMS.includes(subresource);
}

function kindOf({ verb }: Labels): string {
  return MUTATING.includes(verb) ? 'mutating' : 'readOnly';
}

/** Names that clients make up are left out: each would be a metric for good. */
function labelsOf({ attributes, contentType, servedVersion, method }: RequestLog): Labels {
  const none = { group: '', version: '', resource: '', subresource: '', scope: '', component: 'apiserver' };
  if (attributes?.type !== 'resource' || servedVersion === undefined) return { ...none, verb: method };
  const { verb, group, resource, subresource = '', namespace, name } = attributes;
  return {
    verb: verb === 'patch' && contentType.startsWith(APPLY) ? 'APPLY' : (VERBS[verb] ?? verb.toUpperCase()),
    group,
    version: servedVersion,
    resource,
    subresource,
    scope: name !== undefined ? 'resource' : namespace !== undefined ? 'namespace' : 'cluster',
    component: 'apiserver',
  };
}
