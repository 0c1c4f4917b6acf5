import type { ServerResponse } from 'node:http';
import { dump } from 'js-yaml';
import type { ApiError, Status, StatusDetails } from '../resources/api-error.ts';
import { apiVersionOf, type ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { acceptsGzip, COMPRESS_OVER_BYTES, compress } from './compression.ts';
import type { Exchange } from './exchange.ts';
import { type Form, negotiate, PLAIN } from './negotiate.ts';
import { includeObjectOf, partialMetadata, tableOf } from './table.ts';

/** Headers that every answer carries. */
export function setCommonHeaders(response: ServerResponse, id: string): void {
  response.setHeader('Audit-Id', id);
  response.setHeader('Cache-Control', 'no-cache, private');
}

/** Clients read but so much of an answer's head; both are Kubernetes' own limits. */
const MAX_WARNINGS_CHARACTERS = 4 * 1024;
const MAX_CUT_WARNING_CHARACTERS = 256;

/** A header can only hold printable ASCII. */
function warningHeader(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?');
  return `299 - "${printable.replace(/["\\]/g, '\\$&')}"`;
}

/** All of them, or else the beginnings of as many as fit. */
function warningHeaders(warnings: ReadonlySet<string>): string[] {
  const whole = thatFit(warnings, MAX_WARNINGS_CHARACTERS);
  return whole.length === warnings.size ? whole : thatFit(warnings, MAX_CUT_WARNING_CHARACTERS);
}

function thatFit(warnings: Iterable<string>, longest: number): string[] {
  const headers: string[] = [];
  let left = MAX_WARNINGS_CHARACTERS;
  for (const warning of warnings) {
    const header = warningHeader(warning.slice(0, longest));
    left -= header.length;
    if (left < 0) break;
    headers.push(header);
  }
  return headers;
}

/** Text of a known length, compressed when it is long and the client reads that. */
export function sendText(
  response: ServerResponse,
  code: number,
  text: string | Uint8Array,
  type = 'text/plain',
): void {
  const content = typeof text === 'string' ? Buffer.from(text) : text;
  const isLong = content.length > COMPRESS_OVER_BYTES;
  if (isLong) response.appendHeader('Vary', 'Accept-Encoding');
  if (isLong && acceptsGzip(response.req.headers['accept-encoding']?.toString()))
    void sendCompressed(response, code, content, type);
  else sendContent(response, code, content, type);
}

async function sendCompressed(
  response: ServerResponse,
  code: number,
  content: Uint8Array,
  type: string,
): Promise<void> {
  try {
    const packed = await compress(content);
    response.setHeader('Content-Encoding', 'gzip');
    sendContent(response, code, packed, type);
  } catch {
    response.destroy(); // without memory to compress there is none to tell it
  }
}

function sendContent(response: ServerResponse, code: number, content: Uint8Array, type: string): void {
  response.writeHead(code, { 'Content-Type': type, 'Content-Length': content.length });
  response.end(content);
}

export function sendJson(exchange: Exchange, code: number, value: unknown, form: Form = PLAIN): void {
  const { response, warnings } = exchange;
  if (warnings.size > 0) response.setHeader('Warning', warningHeaders(warnings));
  if (form.format === 'yaml')
    sendText(response, code, dump(value, { noRefs: true, lineWidth: -1 }), 'application/yaml');
  else sendText(response, code, `${JSON.stringify(value)}\n`, 'application/json');
}

/** One object, in the form that the client asked for. */
export function sendObject(
  exchange: Exchange,
  code: number,
  resource: ResourceDefinition,
  object: KubeObject,
): void {
  const form = negotiate(exchange.request.headers.accept);
  sendJson(exchange, code, inForm(exchange, form, resource, object), form);
}

function inForm(exchange: Exchange, form: Form, resource: ResourceDefinition, object: KubeObject): unknown {
  if (form.as === 'PartialObjectMetadata') return partialMetadata(object, form.metaVersion);
  if (form.as !== 'Table') return object;
  const { resourceVersion } = object.metadata;
  return tableOf({
    columns: resource.columns,
    items: [object],
    metadata: resourceVersion === undefined ? {} : { resourceVersion },
    includeObject: includeObjectOf(exchange.url.searchParams),
    metaVersion: form.metaVersion,
    nowMs: exchange.context.now(),
  });
}

export interface ListMetadata {
  /** Absent for what no version of the store shows. */
  readonly resourceVersion?: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** A collection, in the form that the client asked for. */
export function sendList(
  exchange: Exchange,
  resource: ResourceDefinition,
  items: readonly KubeObject[],
  metadata: ListMetadata,
): void {
  const form = negotiate(exchange.request.headers.accept);
  const { metaVersion } = form;
  const nowMs = exchange.context.now();
  if (form.as === 'Table') {
    const includeObject = includeObjectOf(exchange.url.searchParams);
    const { columns } = resource;
    sendJson(exchange, 200, tableOf({ columns, items, metadata, includeObject, metaVersion, nowMs }), form);
    return;
  }
  const isPartial = form.as === 'PartialObjectMetadata';
  const list = {
    kind: isPartial ? 'PartialObjectMetadataList' : (resource.listKind ?? `${resource.kind}List`),
    apiVersion: isPartial ? `meta.k8s.io/${metaVersion}` : apiVersionOf(resource),
    metadata,
    items: isPartial ? items.map((object) => partialMetadata(object, metaVersion)) : items,
  };
  sendJson(exchange, 200, list, form);
}

export function successStatus(details?: StatusDetails, code?: number): Status | Omit<Status, 'code'> {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    ...(details && { details }),
    ...(code !== undefined && { code }),
  };
}

/** An error as the client is to see it. What was already begun can only be cut off. */
export function sendError(response: ServerResponse, error: ApiError): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { retryAfterSeconds } = error.details ?? {};
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', retryAfterSeconds);
  sendText(response, error.code, `${JSON.stringify(error.toStatus())}\n`, 'application/json');
}
