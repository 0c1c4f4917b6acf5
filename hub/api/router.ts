import { methodNotAllowed, unknownPath } from '../resources/api-error.ts';
import { type Authorizer, refusal, type User } from './access.ts';
import { bind } from './binding.ts';
import { remove, removeCollection } from './delete.ts';
import { discover, subresourcesOf } from './discovery.ts';
import { evict } from './eviction.ts';
import type { Exchange } from './exchange.ts';
import { finalize } from './finalize.ts';
import { health, version } from './health.ts';
import { logs } from './logs.ts';
import { serveOpenApi } from './openapi-routes.ts';
import { patch, patchScale } from './patch.ts';
import { get, list } from './read.ts';
import { pathSegments, type ResourceRequest, resourceRequest, type Verb } from './request-info.ts';
import { getScale, updateScale } from './scale.ts';
import { attach, exec } from './streaming/exec.ts';
import { portForward } from './streaming/port-forward.ts';
import { watch } from './watch.ts';
import { create, update } from './write.ts';

type Handler = (exchange: Exchange, target: ResourceRequest) => void | Promise<void>;
type Handlers = Readonly<Partial<Record<Verb, Handler>>>;

const OBJECT_HANDLERS: Handlers = {
  get,
  list,
  watch,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: removeCollection,
};

/** By the subresource's name. Which kinds have it is in their definitions. */
const SUBRESOURCE_HANDLERS = new Map<string, Handlers>([
  ['status', { get, update, patch }],
  ['scale', { get: getScale, update: updateScale, patch: patchScale }],
  ['binding', { create: bind }],
  ['eviction', { create: evict }],
  ['finalize', { update: finalize }],
  ['log', { get: logs }],
  ['exec', { get: exec, create: exec }],
  ['attach', { get: attach, create: attach }],
  ['portforward', { get: portForward, create: portForward }],
]);

/** For the parts of an object that its definition names. */
const PART_HANDLERS: Handlers = { get, update, patch };

/** By the first segment of the path. */
const PATH_HANDLERS = new Map<string, (exchange: Exchange, segments: readonly string[]) => void>([
  ['api', discover],
  ['apis', discover],
  ['openapi', serveOpenApi],
  ['version', version],
  ['healthz', health],
  ['livez', health],
  ['readyz', health],
]);

/** Finds who answers, asks whether the user may, and lets them. */
export async function route(exchange: Exchange, user: User, isAllowed: Authorizer): Promise<void> {
  const { request, url, context } = exchange;
  const method = request.method ?? 'GET';
  const target = resourceRequest(method, url, context.registry.definitions);
  if (!target) {
    const action = { type: 'path', verb: method.toLowerCase(), path: url.pathname } as const;
    if (!isAllowed(user, action)) throw refusal(user, action);
    routePath(exchange);
    return;
  }
  const action = { type: 'resource', ...target } as const;
  if (!isAllowed(user, action)) throw refusal(user, action);
  await handlerOf(target)(exchange, target);
}

function handlerOf(target: ResourceRequest): Handler {
  const { verb, resource, name, subresource } = target;
  if (subresource === undefined) {
    const handler = OBJECT_HANDLERS[verb];
    const needsName = ['get', 'update', 'patch', 'delete'].includes(verb);
    if (!handler || (needsName && name === undefined) || (verb === 'create' && name !== undefined))
      throw methodNotAllowed();
    return handler;
  }
  const served = subresourcesOf(resource).find((each) => each.name === subresource);
  const handlers = resource.parts?.[subresource] ? PART_HANDLERS : SUBRESOURCE_HANDLERS.get(subresource);
  if (!served || !handlers) throw unknownPath();
  const handler = handlers[verb];
  if (!handler || !served.verbs.includes(verb)) throw methodNotAllowed();
  return handler;
}

/** Paths that name no resource. */
export function routePath(exchange: Exchange): void {
  const { request, url } = exchange;
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed();
  const segments = pathSegments(url.pathname);
  const handler = PATH_HANDLERS.get(segments[0] ?? '');
  if (!handler) throw unknownPath();
  handler(exchange, segments);
}
