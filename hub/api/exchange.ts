import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { User } from '../authentication/users.ts';
import { ApiError, invalid } from '../resources/api-error.ts';
import { notSupported } from '../resources/field-errors.ts';
import type { Access } from './access.ts';
import type { HealthChecks } from './health.ts';
import type { ListPages } from './list-pages.ts';
import type { PodStreams } from './pod-streams.ts';
import type { RequestLog, RequestObserver } from './request-log.ts';
import type { UsageOf } from './resource-metrics.ts';
import type { ServedRegistry } from './served-registry.ts';

/** What all requests need of the hub. */
export interface ApiContext {
  readonly registry: ServedRegistry;
  readonly access: Access;
  readonly streams: PodStreams;
  readonly usage: UsageOf;
  readonly pages: ListPages;
  /** How many changes may wait for a client of a watch before it is cut off. */
  readonly watchBacklog: number;
  readonly now: () => number;
  readonly health: HealthChecks;
  /** What `/metrics` answers; without it, there is no such path. */
  readonly metrics: { readonly contentType: string; text(): Promise<string> } | undefined;
  readonly observers: readonly RequestObserver[];
  /** Aborted when the server closes: what streams then ends. */
  readonly closing: AbortSignal;
}

/** What a write needs of who asks for it: of a request, or of the hub on somebody's behalf. */
export interface Asking {
  readonly context: Pick<ApiContext, 'registry' | 'access' | 'now'>;
  /** Its query says how: fieldManager, dryRun, fieldValidation, force. */
  readonly url: URL;
  readonly user: User;
  readonly warnings: Set<string>;
}

/** One request and its answer. */
export interface Exchange extends Asking {
  /** The connection of a client that asks for another protocol; `response` then answers refusals only. */
  readonly upgrade?: { readonly socket: Socket; readonly head: Buffer };
  readonly context: ApiContext;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** As whom the request is made. */
  readonly user: User;
  readonly log: RequestLog;
  /** Each becomes a Warning header of the answer. */
  readonly warnings: Set<string>;
}

const MAX_MANAGER_LENGTH = 128;

/** What Go calls printable. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u;

/** For managedFields: as the client says, else the program's name from its User-Agent. Throws 422. */
export function fieldManagerOf({ url, request }: Exchange): string {
  const given = url.searchParams.get('fieldManager') ?? '';
  if (Buffer.byteLength(given) > MAX_MANAGER_LENGTH)
    throw invalidManager(`Too long: may not be more than ${MAX_MANAGER_LENGTH} bytes`);
  if (!PRINTABLE.test(given))
    throw invalidManager(`Invalid value: ${JSON.stringify(given)}: should only contain printable characters`);
  const [program = ''] = (request.headers['user-agent'] ?? '').split('/');
  return given || program.slice(0, MAX_MANAGER_LENGTH) || 'unknown';
}

function invalidManager(why: string): ApiError {
  return new ApiError(422, 'Invalid', `fieldManager: ${why}`);
}

/** Whether everything but the storing is wanted; `options` names the kind for the message. */
export function isDryRun({ url }: Asking, options: string): boolean {
  const values = url.searchParams.getAll('dryRun').filter(Boolean);
  const unknown = values.find((value) => value !== 'All');
  if (unknown !== undefined)
    throw invalid('meta.k8s.io', options, '', [notSupported('dryRun', unknown, ['All'])]);
  return values.length > 0;
}

/** Takes warnings for the client, in a form that writes can be given. */
export function warningsOf({ warnings }: Asking): (text: string) => void {
  return (text) => void warnings.add(text);
}
