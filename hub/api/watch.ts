import { ApiError, badRequest } from '../resources/api-error.ts';
import { apiVersionOf, type ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { selectionOf } from '../resources/selector.ts';
import type { Exchange } from './exchange.ts';
import { type Form, negotiate } from './negotiate.ts';
import { isYes } from './query.ts';
import { invalidListOptions, parseVersion, tooLarge } from './read.ts';
import type { ResourceRequest } from './request-info.ts';
import { includeObjectOf, partialMetadata, tableOf } from './table.ts';
import { type StreamEvent, WatchStream } from './watch-stream.ts';

const BOOKMARK_INTERVAL_MS = 60_000;
/** How long before its end a watch sends its last bookmark. */
const LAST_BOOKMARK_MS = 2_000;
const DEFAULT_TIMEOUT_SECONDS = 30 * 60; // and up to twice that, so that not all watches end at once
const MAX_TIMER_MS = 2 ** 31 - 1;
const INITIAL_EVENTS_END = { 'k8s.io/initial-events-end': 'true' };

interface Options {
  /** Undefined: all that exists comes first. */
  readonly fromRevision?: number;
  readonly bookmarks: boolean;
  /** Whether the end of what exists is to be marked. */
  readonly marksInitialEnd: boolean;
  readonly timeoutMs: number;
}

function optionsOf(query: URLSearchParams, revision: number): Options {
  const version = query.get('resourceVersion') ?? '';
  const match = query.get('resourceVersionMatch') ?? '';
  const sendInitial = query.get('sendInitialEvents');
  if (sendInitial === null && match)
    throw invalidListOptions(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    );
  if (sendInitial !== null && match !== 'NotOlderThan')
    throw invalidListOptions(
      'resourceVersionMatch',
      'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    );
  const wantsInitial = isYes(query, 'sendInitialEvents');
  const isAny = version === '' || version === '0';
  const startsWithExisting = sendInitial === null ? isAny : wantsInitial;
  const wanted = isAny ? revision : parseVersion(version);
  if (wanted > revision) throw tooLarge(wanted, revision);
  return {
    ...(!startsWithExisting && { fromRevision: wanted }),
    bookmarks: isYes(query, 'allowWatchBookmarks'),
    marksInitialEnd: wantsInitial,
    timeoutMs: timeoutOf(query.get('timeoutSeconds')),
  };
}

function timeoutOf(text: string | null): number {
  if (text && !/^-?\d+$/.test(text))
    throw badRequest(`timeoutSeconds must be a number of seconds, is ${JSON.stringify(text)}`);
  const seconds = Number(text ?? 0);
  const picked = seconds > 0 ? seconds : DEFAULT_TIMEOUT_SECONDS * (1 + Math.random());
  return Math.min(picked * 1000, MAX_TIMER_MS);
}

/** Streams what happens to a collection until the client, the timeout or the hub ends it. */
export function watch(exchange: Exchange, { resource, namespace, name }: ResourceRequest): Promise<void> {
  const { context, response, url } = exchange;
  const query = url.searchParams;
  const options = optionsOf(query, context.registry.revision);
  const nameTerm = name === undefined ? [] : [`metadata.name=${name}`];
  const fieldSelector = [query.get('fieldSelector') ?? '', ...nameTerm].filter(Boolean).join(',');
  const selection = selectionOf(resource, {
    namespace,
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector,
  });
  const encode = encoder(exchange, resource, negotiate(exchange.request.headers.accept));
  const stream = new WatchStream(response, encode, context.watchBacklog);
  const { fromRevision } = options;
  const start = { ...selection, ...(fromRevision !== undefined && { fromRevision }) };
  const stop = startWatch(
    () =>
      context.registry.watch(resource, { ...start, onGone: () => stream.end() }, (event) => {
        if (event.type !== 'SYNCED') stream.push(event);
        else if (options.marksInitialEnd && options.bookmarks)
          stream.push(bookmark(resource, event.revision, INITIAL_EVENTS_END));
      }),
    stream,
  );
  stream.open();
  const timers = startTimers(
    options,
    () => stream.push(bookmark(resource, context.registry.revision)),
    () => stream.end(),
  );
  const end = () => stream.end();
  context.closing.addEventListener('abort', end, { once: true });
  if (context.closing.aborted) end();
  return stream.closed.finally(() => {
    stop();
    for (const timer of timers) clearTimeout(timer);
    context.closing.removeEventListener('abort', end);
  });
}

/** A start in a past that is forgotten is answered in the stream: that is where clients look for it. */
function startWatch(begin: () => () => void, stream: WatchStream): () => void {
  try {
    return begin();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 410) throw error;
    stream.push({ type: 'ERROR', status: error.toStatus() });
    stream.end();
    return () => undefined;
  }
}

function startTimers({ bookmarks, timeoutMs }: Options, mark: () => void, end: () => void): NodeJS.Timeout[] {
  const timers = [setTimeout(end, timeoutMs)];
  if (!bookmarks) return timers;
  timers.push(setInterval(mark, BOOKMARK_INTERVAL_MS));
  timers.push(setTimeout(mark, Math.max(timeoutMs - LAST_BOOKMARK_MS, timeoutMs / 2)));
  return timers;
}

function bookmark(
  resource: ResourceDefinition,
  revision: number,
  annotations?: Record<string, string>,
): StreamEvent {
  const metadata = { resourceVersion: String(revision), ...(annotations && { annotations }) };
  return {
    type: 'BOOKMARK',
    object: { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata },
    revision,
  };
}

/** Many watch the same objects: each is written as JSON once. */
const texts = new WeakMap<KubeObject, string>();

function textOf(object: KubeObject): string {
  const known = texts.get(object);
  if (known !== undefined) return known;
  const text = JSON.stringify(object);
  texts.set(object, text);
  return text;
}

/** How events are written: in the form that the client asked for; a Status stays what it is. */
function encoder(
  exchange: Exchange,
  resource: ResourceDefinition,
  { as, metaVersion }: Form,
): (event: StreamEvent) => string {
  const includeObject = includeObjectOf(exchange.url.searchParams);
  let withoutColumns = false;
  const transformed = (event: Exclude<StreamEvent, { type: 'ERROR' }>): string => {
    if (as === 'PartialObjectMetadata') return JSON.stringify(partialMetadata(event.object, metaVersion));
    if (as !== 'Table') return textOf(event.object);
    const { resourceVersion = '' } = event.object.metadata;
    const table = tableOf({
      columns: resource.columns,
      items: event.type === 'BOOKMARK' ? [] : [event.object],
      metadata: event.type === 'BOOKMARK' ? event.object.metadata : { resourceVersion },
      includeObject,
      metaVersion,
      nowMs: exchange.context.now(),
      withoutColumns,
    });
    withoutColumns = true;
    return JSON.stringify(table);
  };
  return (event) => {
    const object = event.type === 'ERROR' ? JSON.stringify(event.status) : transformed(event);
    return `{"type":"${event.type}","object":${object}}\n`;
  };
}
