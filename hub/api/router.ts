import { methodNotAllowed, unknownPath } from '../resources/api-error.ts';
import { bindings } from '../resources/binding.ts';
import { authorize } from './access.ts';
import { bind } from './binding.ts';
import { remove, removeCollection } from './delete.ts';
import { discover, subresourcesOf } from './discovery.ts';
import { evict } from './eviction.ts';
import type { Exchange } from './exchange.ts';
import { finalize } from './finalize.ts';
import { health, version } from './health.ts';
import { logs } from './logs.ts';
import { metrics } from './metrics.ts';
import { serveOpenApi } from './openapi-routes.ts';
import { openIdConfiguration, openIdKeys } from './openid.ts';
import { patch, patchScale } from './patch.ts';
import { get, list } from './read.ts';
import {
  attributesOf,
  pathSegments,
  type ResourceRequest,
  resourceRequest,
  type Verb,
} from './request-info.ts';
import { getMetrics, listMetrics } from './resource-metrics.ts';
import { review } from './reviews.ts';
import { getScale, updateScale } from './scale.ts';
import { attach, exec } from './streaming/exec.ts';
import { portForward } from './streaming/port-forward.ts';
import { requestToken } from './token-request.ts';
import { watch } from './watch.ts';
import { create, update } from './write.ts';

type Handler = (exchange: Exchange, target: ResourceRequest) => void | Promise<void>;
type PathHandler = (exchange: Exchange, segments: readonly string[]) => void | Promise<void>;
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
  ['token', { create: requestToken }],
  ['log', { get: logs }],
  ['exec', { get: exec, create: exec }],
  ['attach', { get: attach, create: attach }],
  ['portforward', { get: portForward, create: portForward }],
]);

/** For kinds that nothing is stored of: reviews, metrics, bindings. Which verbs they have is in their definitions. */
const COMPUTED_HANDLERS: Handlers = {
  create: (exchange, target) => (target.resource === bindings ? bind : review)(exchange, target),
  get: getMetrics,
  list: listMetrics,
};

/** For the parts of an object that its definition names. */
const PART_HANDLERS: Handlers = { get, update, patch };

/** By the first segment of the path. */
const PATH_HANDLERS = new Map<string, PathHandler>([
  ['api', discover],
  ['apis', discover],
  ['openapi', serveOpenApi],
  ['.well-known', openIdConfiguration],
  ['openid', openIdKeys],
  ['version', version],
  ['healthz', health],
  ['livez', health],
  ['readyz', health],
  ['metrics', metrics],
]);

/** Finds who answers, asks whether the user may, and lets them. */
export async function route(exchange: Exchange): Promise<void> {
  const { request, url, context, user } = exchange;
  const method = request.method ?? 'GET';
  const attributes = attributesOf(method, url);
  exchange.log.attributes = attributes;
  authorize(context.access.authorizer, user, attributes);
  const target = resourceRequest(method, url, context.registry.definitions);
  if (target) exchange.log.servedVersion = target.resource.version;
  if (target?.resource.deprecationWarning) exchange.warnings.add(target.resource.deprecationWarning);
  for (const observer of context.observers) observer.started?.(exchange.log);
  if (!target) {
    await routePath(exchange);
    return;
  }
  await handlerOf(target)(exchange, target);
}

function handlerOf(target: ResourceRequest): Handler {
  const { verb, resource, name, subresource } = target;
  if (subresource === undefined) {
    const isServed = resource.verbs?.includes(verb) ?? true;
    const handler = isServed && (resource.verbs ? COMPUTED_HANDLERS : OBJECT_HANDLERS)[verb];
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
async function routePath(exchange: Exchange): Promise<void> {
  const { request, url } = exchange;
  if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed();
  const segments = pathSegments(url.pathname);
  const handler = PATH_HANDLERS.get(segments[0] ?? '');
  if (!handler) throw unknownPath();
  await handler(exchange, segments);
}
