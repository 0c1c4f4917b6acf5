import { badRequest } from '../resources/api-error.ts';
import type { PodObject } from '../resources/typed.ts';
import { checkWrite } from './access.ts';
import { type BodyKind, readObject } from './body.ts';
import { asking, deleteOptionsOf } from './delete.ts';
import { takeDisruption } from './disruption-budget.ts';
import { type Exchange, isDryRun } from './exchange.ts';
import { existing } from './read.ts';
import { sendJson, successStatus } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';

const EVICTION: BodyKind = {
  group: 'policy',
  version: 'v1',
  kind: 'Eviction',
  schema: 'io.k8s.api.policy.v1.Eviction',
};

/** `POST pods/x/eviction`: what `kubectl drain` does in place of deleting. */
export async function evict(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { resource, namespace, name = '' } = target;
  const eviction = await readObject(exchange, EVICTION);
  if (eviction.metadata.name && eviction.metadata.name !== name)
    throw badRequest(
      `name in URL does not match name in Eviction object: ${name} != ${eviction.metadata.name}`,
    );
  checkWrite(exchange, target, eviction, undefined);
  const options = deleteOptionsOf(eviction['deleteOptions'], isDryRun(exchange, 'CreateOptions'));
  await takeDisruption(exchange, existing(exchange, target) as PodObject, options.dryRun ?? false);
  await exchange.context.registry.delete(resource, namespace, name, asking(exchange, options));
  sendJson(exchange, 201, successStatus(undefined, 201));
}
