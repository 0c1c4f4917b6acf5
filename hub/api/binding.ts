import { badRequest, conflict, invalid, notFound } from '../resources/api-error.ts';
import { bindings } from '../resources/binding.ts';
import { notSupported, required } from '../resources/field-errors.ts';
import type { KubeObject } from '../resources/object.ts';
import { withPodCondition } from '../resources/pod-state.ts';
import { pods } from '../resources/table-of-resources.ts';
import { formatTime } from '../resources/time.ts';
import type { PodObject } from '../resources/typed.ts';
import { readObject } from './body.ts';
import { type Exchange, fieldManagerOf, isDryRun, warningsOf } from './exchange.ts';
import { sendJson, successStatus } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';
import { placed } from './write.ts';

/** `POST pods/x/binding`, or `POST bindings` with the pod's name: a scheduler's decision, once. */
export async function bind(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { namespace } = target;
  const binding = placed(await readObject(exchange, bindings), { ...target, resource: bindings });
  const { metadata } = binding;
  const { name = metadata.name ?? '' } = target;
  const resource = pods;
  if (!name) throw badRequest('name is required');
  const nodeName = targetOf(name, binding);
  const { registry, now } = exchange.context;
  const change = (current: KubeObject | undefined) => {
    if (!current) throw notFound(resource, name);
    return bound(resource, current as PodObject, metadata, nodeName);
  };
  const options = {
    fieldManager: fieldManagerOf(exchange),
    dryRun: isDryRun(exchange, 'CreateOptions'),
    requester: exchange.user,
    warn: warningsOf(exchange),
  };
  const { object } = await registry.modify(resource, namespace, name, change, options);
  if (!options.dryRun) {
    const tell = (current: KubeObject | undefined) => {
      if (current?.metadata.uid !== object.metadata.uid || !current) throw notFound(resource, name);
      return scheduled(current as PodObject, formatTime(now()));
    };
    await registry.modify(resource, namespace, name, tell, { ...options, subresource: 'status' });
  }
  sendJson(exchange, 201, successStatus(undefined, 201));
}

function scheduled(pod: PodObject, lastTransitionTime: string): PodObject {
  return withPodCondition(pod, { type: 'PodScheduled', status: 'True', lastTransitionTime });
}

/** The node's name. Throws 422 for a target that is none. */
function targetOf(name: string, binding: KubeObject): string {
  const { target = {} } = binding as KubeObject & { target?: { kind?: string; name?: string } };
  const errors = [
    ...(target.kind && target.kind !== 'Node'
      ? [notSupported('target.kind', target.kind, ['Node', '<empty>'])]
      : []),
    ...(target.name ? [] : [required('target.name')]),
  ];
  if (errors.length > 0) throw invalid('', 'Binding', name, errors);
  return target.name ?? '';
}

/** Labels and annotations of a binding become the pod's. */
function bound(
  resource: ResourceRequest['resource'],
  pod: PodObject,
  { uid: wanted, labels, annotations }: KubeObject['metadata'],
  nodeName: string,
): PodObject {
  const { name = '', uid, deletionTimestamp } = pod.metadata;
  if (wanted && wanted !== uid)
    throw conflict(
      resource,
      name,
      `Precondition failed: UID in precondition: ${wanted}, UID in object meta: ${uid}`,
    );
  if (deletionTimestamp)
    throw conflict(resource, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName)
    throw conflict(resource, name, `pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  const metadata = {
    ...pod.metadata,
    ...(labels && { labels: { ...pod.metadata.labels, ...labels } }),
    ...(annotations && { annotations: { ...pod.metadata.annotations, ...annotations } }),
  };
  return { ...pod, metadata, spec: { ...pod.spec, nodeName } };
}
