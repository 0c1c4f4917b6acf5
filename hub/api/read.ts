import type { ListOptions, ObjectList, Registry } from '../registry/registry.ts';
import { ApiError, badRequest, expired, type FieldError, invalid, notFound } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { forbiddenField, notSupported } from '../resources/field-errors.ts';
import type { KubeObject } from '../resources/object.ts';
import { selectionOf } from '../resources/selector.ts';
import type { Exchange } from './exchange.ts';
import { sendList, sendObject } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';

/**
 * Answers are the newest, which is not older than any version that there is: refuses one that there is not yet. Returns
 * the one that exactly is wanted, if one is.
 */
export function checkVersion({ context, url }: Exchange): number | undefined {
  const text = url.searchParams.get('resourceVersion') ?? '';
  const { revision } = context.registry;
  const match = matchOf(url.searchParams, text);
  if (!text) return undefined;
  const wanted = parseVersion(text);
  if (wanted > revision) throw tooLarge(wanted, revision);
  return match === 'Exact' ? wanted : undefined;
}

const MATCHES = ['Exact', 'NotOlderThan'];

/** How the version is meant; throws 422 for options that do not go together. */
function matchOf(query: URLSearchParams, version: string): string {
  const match = query.get('resourceVersionMatch') ?? '';
  if (!match) return match;
  if (!version)
    throw invalidListOptions(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden unless resourceVersion is provided',
    );
  if (!MATCHES.includes(match)) throw invalidListOption(notSupported('resourceVersionMatch', match, MATCHES));
  if (match === 'Exact' && version === '0')
    throw invalidListOptions(
      'resourceVersionMatch',
      'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
    );
  if (query.get('continue'))
    throw invalidListOptions(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden when continue is provided',
    );
  return match;
}

export function parseVersion(text: string): number {
  if (!/^\d+$/.test(text)) throw badRequest(`invalid resource version: ${JSON.stringify(text)}`);
  return Number(text);
}

export function invalidListOptions(field: string, detail: string): ApiError {
  return invalidListOption(forbiddenField(field, detail));
}

function invalidListOption(error: FieldError): ApiError {
  return invalid('meta.k8s.io', 'ListOptions', '', [error]);
}

export function tooLarge(wanted: number, current: number): ApiError {
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
  const atRevision = checkVersion(exchange);
  if (query.has('sendInitialEvents'))
    throw invalidListOptions('sendInitialEvents', 'sendInitialEvents is forbidden for list');
  const selectors = {
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
  };
  const selection = selectionOf(resource, { namespace, ...selectors });
  const limit = limitOf(query);
  const token = query.get('continue');
  if (token && Number(query.get('resourceVersion') || 0) > 0)
    throw badRequest('specifying resource version is not allowed when using continue');
  const options = { ...selection, ...(atRevision !== undefined && { atRevision }) };
  const newest = () => ({ resource, namespace, ...listed(registry, resource, options) });
  const { items, revision, ...rest } = token
    ? pages.next(token, { resource, namespace, newest }, limit)
    : pages.first(newest(), limit);
  const isSelected = selectors.labelSelector || selectors.fieldSelector;
  sendList(exchange, resource, items, {
    resourceVersion: String(revision),
    ...(rest.token && { continue: rest.token }),
    ...(rest.token && !isSelected && { remainingItemCount: rest.remaining }),
  });
}

function listed(registry: Registry, resource: ResourceDefinition, options: ListOptions): ObjectList {
  try {
    return registry.list(resource, options);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 410) throw error;
    throw expired('The resourceVersion for the provided list is too old.');
  }
}

function limitOf(query: URLSearchParams): number {
  const text = query.get('limit') || '0';
  if (!/^\d+$/.test(text)) throw badRequest(`limit must be a number of objects, is ${JSON.stringify(text)}`);
  return Number(text);
}
