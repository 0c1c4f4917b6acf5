import { badRequest, conflict, invalid, notFound } from '../resources/api-error.ts';
import { required } from '../resources/field-errors.ts';
import type { KubeObject } from '../resources/object.ts';
import type { PodObject } from '../resources/typed.ts';
import { type BodyKind, readObject } from './body.ts';
import { type Exchange, fieldManagerOf, isDryRun } from './exchange.ts';
import { sendJson, successStatus } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';

const BINDING: BodyKind = { group: '', version: 'v1', kind: 'Binding', schema: 'io.k8s.api.core.v1.Binding' };

/** `POST pods/x/binding`: a scheduler's decision, once. */
export async function bind(
  exchange: Exchange,
  { resource, namespace, name = '' }: ResourceRequest,
): Promise<void> {
  const binding = await readObject(exchange, BINDING);
  const { target } = binding as KubeObject & { target?: { kind?: string; name?: string } };
  if (binding.metadata.name && binding.metadata.name !== name)
    throw badRequest(
      `the name of the object (${binding.metadata.name}) does not match the name on the URL (${name})`,
    );
  const nodeName = target?.name;
  if (!nodeName) throw invalid('', 'Binding', name, [required('target.name')]);
  const change = (current: KubeObject | undefined) => {
    if (!current) throw notFound(resource, name);
    return bound(resource, current as PodObject, nodeName);
  };
  await exchange.context.registry.modify(resource, namespace, name, change, {
    fieldManager: fieldManagerOf(exchange),
    dryRun: isDryRun(exchange, 'CreateOptions'),
  });
  sendJson(exchange, 201, successStatus(undefined, 201));
}

function bound(resource: ResourceRequest['resource'], pod: PodObject, nodeName: string): PodObject {
  const { name = '', deletionTimestamp } = pod.metadata;
  if (deletionTimestamp)
    throw conflict(resource, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName)
    throw conflict(resource, name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  return { ...pod, spec: { ...pod.spec, nodeName } };
}
