import type { DeleteOptions } from '../registry/registry.ts';
import { type ApiError, badRequest, type FieldError, forbidden, invalid } from '../resources/api-error.ts';
import { forbiddenField, notSupported } from '../resources/field-errors.ts';
import { selectionOf } from '../resources/selector.ts';
import { decode } from '../schema/decode.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import { schemaOf } from '../schema/schema.ts';
import { checkWrite } from './access.ts';
import { readTypedBody } from './body.ts';
import { type Exchange, isDryRun, warningsOf } from './exchange.ts';
import { isYes } from './query.ts';
import { sendJson, sendList, sendObject, successStatus } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';

const SCHEMA = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';
const KIND = 'DeleteOptions';
const POLICIES = ['Background', 'Foreground', 'Orphan'] as const;

interface GivenOptions {
  readonly options: DeleteOptions;
  /** Asked for in the way of before there were policies, which is answered in the way of then. */
  readonly wantsDependentsGone: boolean;
}

/** From the body, or from the query when there is none. Throws 400 and 422. */
async function readDeleteOptions(exchange: Exchange): Promise<GivenOptions> {
  const body = await readTypedBody(exchange, SCHEMA);
  const given = body ? body.value : fromQuery(exchange.url.searchParams);
  const wantsDependentsGone = isJsonObject(given) && given['orphanDependents'] === false;
  return { options: deleteOptionsOf(given, isDryRun(exchange, 'DeleteOptions')), wantsDependentsGone };
}

/** The options with who asks, for policies. */
export function asking(exchange: Exchange, options: DeleteOptions): DeleteOptions {
  return { ...options, requester: exchange.user, warn: warningsOf(exchange) };
}

function fromQuery(query: URLSearchParams): JsonObject {
  const options: JsonObject = {};
  const grace = query.get('gracePeriodSeconds');
  const policy = query.get('propagationPolicy');
  if (grace) options['gracePeriodSeconds'] = Number(grace);
  if (policy) options['propagationPolicy'] = policy;
  if (query.has('orphanDependents')) options['orphanDependents'] = isYes(query, 'orphanDependents');
  return options;
}

/** A client's `DeleteOptions`, checked. */
export function deleteOptionsOf(given: unknown, isDry: boolean): DeleteOptions {
  const { object, errors } = decode(schemaOf(SCHEMA), given ?? {});
  if (errors.length > 0) throw badRequest(`DeleteOptions cannot be handled: ${errors.join(', ')}`);
  if (object['kind'] && object['kind'] !== KIND)
    throw badRequest(`decoded object cannot be converted to DeleteOptions: it is a ${object['kind']}`);
  const {
    gracePeriodSeconds: grace,
    preconditions,
    dryRun = [],
  } = object as {
    gracePeriodSeconds?: number;
    preconditions?: NonNullable<DeleteOptions['preconditions']>;
    dryRun?: string[];
  };
  const unknown = dryRun.find((value) => value !== 'All');
  if (unknown !== undefined) throw invalidOption(notSupported('dryRun', unknown, ['All']));
  const policy = policyOf(object);
  return {
    ...(grace !== undefined && { gracePeriodSeconds: grace }),
    ...(policy && { propagationPolicy: policy }),
    ...(preconditions && { preconditions }),
    dryRun: isDry || dryRun.includes('All'),
  };
}

function policyOf({
  propagationPolicy: policy,
  orphanDependents: orphan,
}: JsonObject): DeleteOptions['propagationPolicy'] {
  if (policy !== undefined && orphan !== undefined)
    throw invalidOption(
      forbiddenField('propagationPolicy', 'orphanDependents and deletionPropagation cannot be both set'),
    );
  if (orphan !== undefined) return orphan ? 'Orphan' : 'Background';
  const known = POLICIES.find((each) => each === policy);
  if (policy !== undefined && policy !== '' && !known)
    throw invalidOption(notSupported('propagationPolicy', policy, POLICIES));
  return known;
}

function invalidOption(error: FieldError): ApiError {
  return invalid('meta.k8s.io', KIND, '', [error]);
}

/** Throws 403 for what the cluster cannot be without. */
export function checkProtected(resource: ResourceRequest['resource'], name: string): void {
  if (resource.protectedNames?.includes(name))
    throw forbidden(resource, name, `this ${resource.singular} may not be deleted`);
}

/** The answer names the uid, so that a client which waits can tell a new object of the same name. */
export async function remove(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { resource, namespace, name = '' } = target;
  const { options, wantsDependentsGone } = await readDeleteOptions(exchange);
  checkProtected(resource, name);
  checkWrite(exchange, target, undefined, exchange.context.registry.get(resource, namespace, name));
  const { object, removed } = await exchange.context.registry.delete(
    resource,
    namespace,
    name,
    asking(exchange, options),
  );
  if (!removed || resource.gracePeriodSeconds) {
    sendObject(exchange, !removed && wantsDependentsGone ? 202 : 200, resource, object);
    return;
  }
  const { uid } = object.metadata;
  const details = {
    name,
    ...(resource.group && { group: resource.group }),
    kind: resource.plural,
    ...(uid && { uid }),
  };
  sendJson(exchange, 200, successStatus(details));
}

export async function removeCollection(
  exchange: Exchange,
  { resource, namespace }: ResourceRequest,
): Promise<void> {
  const { registry } = exchange.context;
  const { searchParams: query } = exchange.url;
  const { options } = await readDeleteOptions(exchange);
  const selection = selectionOf(resource, {
    namespace,
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
  });
  const { items, revision } = registry.list(resource, selection);
  for (const { metadata } of items) {
    const name = metadata.name ?? '';
    // Somebody else may have removed it meanwhile, which is as good.
    if (!registry.get(resource, metadata.namespace, name) || resource.protectedNames?.includes(name))
      continue;
    await registry.delete(resource, metadata.namespace, name, asking(exchange, options));
  }
  sendList(exchange, resource, items, { resourceVersion: String(revision) });
}
