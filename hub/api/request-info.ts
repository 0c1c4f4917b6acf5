import type { Attributes } from '../authorization/attributes.ts';
import { badRequest, unknownPath } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { parseFieldSelector } from '../resources/selector.ts';
import { isYes } from './query.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** What a request for an object or a collection asks for. */
export interface ResourceRequest {
  readonly verb: Verb;
  readonly resource: ResourceDefinition;
  readonly namespace?: string;
  readonly name?: string;
  readonly subresource?: string;
}

/** Below `/namespaces/x/` these belong to the namespace itself; all else is a resource within it. */
const NAMESPACE_SUBRESOURCES = ['status', 'finalize'];

/** Splits and decodes a path; throws 400 for what is no UTF-8 or not escaped properly. */
export function pathSegments(path: string): string[] {
  try {
    return path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    throw badRequest(`the path ${JSON.stringify(path)} can not be decoded`);
  }
}

/** Undefined when the path is not below a group and version (`/version`, `/openapi/v3`, `/apis/apps`). */
export function resourceRequest(
  method: string,
  url: URL,
  definitions: readonly ResourceDefinition[],
): ResourceRequest | undefined {
  const [root, ...rest] = pathSegments(url.pathname);
  if (root !== 'api' && root !== 'apis') return undefined;
  const group = root === 'api' ? '' : rest.shift();
  const version = rest.shift();
  if (group === undefined || version === undefined || rest.length === 0) return undefined;
  const place = placeOf(rest);
  const resource = definitions.find(
    (each) => each.group === group && each.version === version && each.plural === place.plural,
  );
  if (!resource || (place.namespace !== undefined && !resource.namespaced) || place.rest > 0)
    throw unknownPath();
  return {
    verb: verbOf(method, url.searchParams, place.name !== undefined),
    resource,
    ...(place.namespace !== undefined && { namespace: place.namespace }),
    ...(place.name !== undefined && { name: place.name }),
    ...(place.subresource !== undefined && { subresource: place.subresource }),
  };
}

/**
 * What a request asks for, in the terms in which it is allowed or not. That follows from the path alone: who may not
 * ask does not learn what there is.
 */
export function attributesOf(method: string, url: URL): Attributes {
  const [root, ...rest] = pathSegments(url.pathname);
  const group = root === 'api' ? '' : root === 'apis' ? rest.shift() : undefined;
  const [version, ...place] = rest;
  const { namespace, plural, name, subresource } = placeOf(place);
  if (group === undefined || version === undefined || plural === undefined)
    return { type: 'path', verb: method.toLowerCase(), path: url.pathname };
  const verb = verbOf(method, url.searchParams, name !== undefined);
  const fields = fieldsOf(url);
  // A namespace counts as within itself: who is let into it alone can read it.
  const within = group === '' && plural === 'namespaces' ? name : namespace;
  const named = name ?? fields['metadata.name'];
  return {
    type: 'resource',
    verb,
    group,
    resource: plural,
    ...(within && { namespace: within }),
    ...(named && { name: named }),
    ...(subresource !== undefined && { subresource }),
    fields,
  };
}

/** What the field selector demands; nothing of one that can not be read, which is told to who may ask. */
function fieldsOf({ searchParams }: URL): Record<string, string> {
  const selector = searchParams.get('fieldSelector');
  if (!selector) return {};
  try {
    const demanded = parseFieldSelector(selector).filter(({ equal }) => equal);
    return Object.fromEntries(demanded.map(({ field, value }) => [field, value]));
  } catch {
    return {};
  }
}

interface Place {
  readonly namespace?: string | undefined;
  readonly plural: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
  /** How many segments nobody took. */
  readonly rest: number;
}

function placeOf(segments: readonly string[]): Place {
  const isInNamespace =
    segments[0] === 'namespaces' &&
    segments.length > 2 &&
    !NAMESPACE_SUBRESOURCES.includes(segments[2] ?? '');
  const namespace = isInNamespace ? segments[1] : undefined;
  const [plural, name, subresource, ...rest] = isInNamespace ? segments.slice(2) : segments;
  return { namespace, plural, name, subresource, rest: rest.length };
}

function verbOf(method: string, query: URLSearchParams, isNamed: boolean): Verb {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (isYes(query, 'watch')) return 'watch';
      return isNamed ? 'get' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return isNamed ? 'delete' : 'deletecollection';
    default:
      throw badRequest(`the method ${method} is not known`);
  }
}
