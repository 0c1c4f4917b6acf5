import { notFound } from '../resources/api-error.ts';
import type { KubeObject } from '../resources/object.ts';
import { checkWrite } from './access.ts';
import { readObject } from './body.ts';
import { type Exchange, fieldManagerOf, isDryRun, warningsOf } from './exchange.ts';
import { sendObject } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';
import { placed } from './write.ts';

/** `PUT namespaces/x/finalize`: sets `spec.finalizers` and nothing else. */
export async function finalize(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { resource, name = '' } = target;
  const given = placed(await readObject(exchange, resource), target);
  const { finalizers = [] } = (given.spec ?? {}) as { finalizers?: string[] };
  const change = (current: KubeObject | undefined) => {
    if (!current) throw notFound(resource, name);
    const next = { ...current, spec: { ...(current.spec as object), finalizers } };
    checkWrite(exchange, target, next, current);
    return next;
  };
  const { object } = await exchange.context.registry.modify(resource, undefined, name, change, {
    fieldManager: fieldManagerOf(exchange),
    dryRun: isDryRun(exchange, 'UpdateOptions'),
    requester: exchange.user,
    warn: warningsOf(exchange),
  });
  sendObject(exchange, 200, resource, object);
}
