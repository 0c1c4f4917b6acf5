import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Lease, type LeaseRequest, leaseEndsAt, MOST_LEASES, readLeaseRequest } from '../pod/lease.ts';

/** Where leases are kept. */
export interface LeaseBook {
  /** Durable when it returns; undefined when there are too many. Throws when it cannot be stored. */
  readonly hold: (request: LeaseRequest) => Lease | undefined;
  /** Whether there was one. */
  readonly release: (name: string) => boolean;
  /** Those that stand. */
  readonly list: () => readonly Lease[];
  /** Whether the device has the pod, named as namespace/name. */
  readonly hasPod: (pod: string) => boolean;
}

/** A lease as it is told. */
export interface ToldLease extends LeaseRequest {
  /** When it ends, by the device's clock; RFC 3339. */
  readonly until: string;
}

interface Answer {
  readonly code: number;
  readonly body?: object;
}

const MAX_BODY_BYTES = 4 * 1024;
const COLLECTION = '/v1/leases';

/** Answers in any case. */
export async function answerLeaseRequest(
  request: IncomingMessage,
  response: ServerResponse,
  leases: LeaseBook,
): Promise<void> {
  const { code, body } = await answerTo(request, leases).catch((error: Error) => problem(507, error.message));
  if (response.destroyed) return;
  response.writeHead(code, {
    'Content-Type': 'application/json',
    ...(code === 413 && { Connection: 'close' }),
  });
  response.end(body && `${JSON.stringify(body)}\n`);
}

async function answerTo(request: IncomingMessage, leases: LeaseBook): Promise<Answer> {
  const { method, url = '' } = request;
  if (url === COLLECTION && method === 'GET') return { code: 200, body: { leases: leases.list().map(told) } };
  const name = url.startsWith(`${COLLECTION}/`) ? url.slice(COLLECTION.length + 1) : '';
  if (name === '' || name.includes('/') || (method !== 'PUT' && method !== 'DELETE'))
    return problem(404, 'this socket serves GET /v1/leases, PUT and DELETE /v1/leases/NAME');
  if (method === 'PUT') return hold(name, await bodyOf(request), leases);
  return leases.release(name) ? { code: 204 } : problem(404, `no lease ${name.slice(0, 63)} stands`);
}

function hold(name: string, text: string | undefined, leases: LeaseBook): Answer {
  if (text === undefined) return problem(413, `the body may have ${MAX_BODY_BYTES} bytes`);
  const read = readLeaseRequest(name, parsed(text));
  if ('problems' in read) return problem(400, read.problems.join('; '));
  const { request } = read;
  if (request.pod !== undefined && !leases.hasPod(request.pod))
    return problem(404, `this device has no pod ${request.pod}: it must be namespace/name`);
  const lease = leases.hold(request);
  if (!lease)
    return problem(
      429,
      `${MOST_LEASES} leases stand, more may not: give back one that is not needed any more`,
    );
  return { code: 200, body: told(lease) };
}

function told(lease: Lease): ToldLease {
  const { at: _, ...request } = lease;
  return { ...request, until: leaseEndsAt(lease) };
}

function problem(code: number, error: string): Answer {
  return { code, body: { error } };
}

/** Undefined for what is no JSON: then it is not what was wanted either. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Undefined when it is too large: what is too much is not read. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  const pieces = request.iterator({ destroyOnReturn: false }); // so that it can be answered
  for await (const chunk of pieces as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
