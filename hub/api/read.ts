import { ApiError, badRequest, expired, invalid, notFound } from '../resources/api-error.ts';
import { forbiddenField } from '../resources/field-errors.ts';
import type { KubeObject } from '../resources/object.ts';
import { selectionOf } from '../resources/selector.ts';
import type { Exchange } from './exchange.ts';
import { sendList, sendObject } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';

/** Answers are always the newest: what is left to do is to refuse a version that does not exist yet, or no more. */
export function checkVersion({ context, url }: Exchange): void {
  const text = url.searchParams.get('resourceVersion') ?? '';
  const match = url.searchParams.get('resourceVersionMatch') ?? '';
  const { revision } = context.registry;
  if (match && !text)
    throw invalidListOptions(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
  if (match === 'Exact' && text === '0')
    throw invalidListOptions(
      'resourceVersionMatch',
      'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    );
  if (match && url.searchParams.get('continue'))
    throw invalidListOptions(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden when continue is provided',
    );
  if (!text) return;
  const wanted = parseVersion(text);
  if (wanted > revision) throw tooLarge(wanted, revision);
  if (match === 'Exact' && wanted !== revision)
    throw expired('The resourceVersion for the provided list is too old.');
}

export function parseVersion(text: string): number {
  if (!/^\d+$/.test(text)) throw badRequest(`invalid resource version: ${JSON.stringify(text)}`);
  return Number(text);
}

export function invalidListOptions(field: string, detail: string): ApiError {
  return invalid('meta.k8s.io', 'ListOptions', '', [forbiddenField(field, detail)]);
}

function tooLarge(wanted: number, current: number): ApiError {
  return new ApiError(504, 'Timeout', `Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

/** The object that a request names; throws 404. */
export function existing(
  { context }: Exchange,
  { resource, namespace, name = '' }: ResourceRequest,
): KubeObject {
  const object = context.registry.get(resource, namespace, name);
  if (!object) throw notFound(resource, name);
  return object;
}

export function get(exchange: Exchange, target: ResourceRequest): void {
  checkVersion(exchange);
  sendObject(exchange, 200, target.resource, existing(exchange, target));
}

/** Collections, in pages if the client wants pages. */
export function list(exchange: Exchange, { resource, namespace }: ResourceRequest): void {
  const { searchParams: query } = exchange.url;
  const { registry, pages } = exchange.context;
  checkVersion(exchange);
  if (query.has('sendInitialEvents'))
    throw invalidListOptions('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  const selectors = {
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
  };
  const selection = selectionOf(resource, { namespace, ...selectors });
  const limit = limitOf(query);
  const token = query.get('continue');
  const { items, revision, ...rest } = token
    ? pages.next(token, { resource, namespace }, limit)
    : pages.first({ resource, namespace, ...registry.list(resource, selection) }, limit);
  const isSelected = selectors.labelSelector || selectors.fieldSelector;
  sendList(exchange, resource, items, {
    resourceVersion: String(revision),
    ...(rest.token && { continue: rest.token }),
    ...(rest.token && !isSelected && { remainingItemCount: rest.remaining }),
  });
}

function limitOf(query: URLSearchParams): number {
  const text = query.get('limit') || '0';
  if (!/^\d+$/.test(text)) throw badRequest(`limit must be a number of objects, is ${JSON.stringify(text)}`);
  return Number(text);
}
