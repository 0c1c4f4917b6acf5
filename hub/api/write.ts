import type { UpdateOptions } from '../registry/registry.ts';
import { badRequest, methodNotAllowed, notFound } from '../resources/api-error.ts';
import type { KubeObject } from '../resources/object.ts';
import { checkWrite } from './access.ts';
import { readObject } from './body.ts';
import { type Exchange, fieldManagerOf, isDryRun, warningsOf } from './exchange.ts';
import { sendObject } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';

/** Namespace and name of an object are those of the URL; the body may leave them out but not contradict. */
export function placed(object: KubeObject, { resource, namespace, name }: ResourceRequest): KubeObject {
  const { namespace: given, ...metadata } = object.metadata;
  if (name !== undefined && metadata.name && metadata.name !== name)
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  if (resource.namespaced && given && given !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(name !== undefined && { name }),
      ...(resource.namespaced && namespace !== undefined && { namespace }),
    },
  };
}

export async function create(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { resource, namespace } = target;
  if (resource.namespaced && namespace === undefined) throw methodNotAllowed();
  const fieldManager = fieldManagerOf(exchange);
  const dryRun = isDryRun(exchange, 'CreateOptions');
  const object = placed(await readObject(exchange, resource), target);
  const options = { fieldManager, dryRun, requester: exchange.user, warn: warningsOf(exchange) };
  checkWrite(exchange, target, object, undefined);
  const created = await exchange.context.registry.create(resource, object, options);
  sendObject(exchange, 201, resource, created);
}

export async function update(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { resource, namespace, name = '', subresource } = target;
  const options: UpdateOptions = {
    fieldManager: fieldManagerOf(exchange),
    dryRun: isDryRun(exchange, 'UpdateOptions'),
    requester: exchange.user,
    warn: warningsOf(exchange),
    ...(subresource && { subresource }),
  };
  const given = placed(await readObject(exchange, resource), target);
  const change = (current: KubeObject | undefined) => {
    if (!current && (!resource.createOnUpdate || subresource)) throw notFound(resource, name);
    checkWrite(exchange, target, given, current);
    return given;
  };
  const { object, created } = await exchange.context.registry.modify(
    resource,
    namespace,
    name,
    change,
    options,
  );
  sendObject(exchange, created ? 201 : 200, resource, object);
}
