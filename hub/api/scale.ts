import { badRequest, conflict, invalid, notFound, unknownPath } from '../resources/api-error.ts';
import { ageColumn, countColumn, nameColumn } from '../resources/cells.ts';
import { apiVersionOf, type ResourceDefinition, type ScaleMapping } from '../resources/definition.ts';
import { invalidValue } from '../resources/field-errors.ts';
import type { KubeObject } from '../resources/object.ts';
import { checkWrite } from './access.ts';
import { type BodyKind, decodeObject, type ParsedBody, readObject } from './body.ts';
import { type Exchange, fieldManagerOf, isDryRun, warningsOf } from './exchange.ts';
import { existing } from './read.ts';
import { sendObject } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';

/** `autoscaling/v1` Scale: how many there are of a workload, whatever its kind. */
export const SCALE: BodyKind = {
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  schema: 'io.k8s.api.autoscaling.v1.Scale',
};

interface ScaleObject extends KubeObject {
  spec?: { replicas?: number };
  status?: { replicas?: number; selector?: string };
}

const scales: Pick<ResourceDefinition, 'columns'> = {
  columns: [
    nameColumn,
    countColumn('Desired', 'Number of wanted pods.', (object) => (object as ScaleObject).spec?.replicas ?? 0),
    countColumn(
      'Available',
      'Number of existing pods.',
      (object) => (object as ScaleObject).status?.replicas ?? 0,
    ),
    ageColumn,
  ],
};

export function mappingOf({ scale }: ResourceDefinition): ScaleMapping {
  if (!scale) throw unknownPath();
  return scale;
}

/** The Scale view of an object. */
export function scaleOf(mapping: ScaleMapping, object: KubeObject): ScaleObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const metadata = Object.fromEntries(
    Object.entries({ name, namespace, uid, resourceVersion, creationTimestamp }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata,
    spec: { replicas: mapping.replicas(object) },
    status: { replicas: mapping.statusReplicas(object), selector: mapping.selector(object) },
  };
}

export function getScale(exchange: Exchange, target: ResourceRequest): void {
  sendScale(exchange, target, existing(exchange, target));
}

export function sendScale(exchange: Exchange, { resource }: ResourceRequest, object: KubeObject): void {
  sendObject(exchange, 200, { ...resource, ...scales }, scaleOf(mappingOf(resource), object));
}

export async function updateScale(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const scale = (await readObject(exchange, SCALE)) as ScaleObject;
  await writeScale(exchange, target, () => scale);
}

/** Writes what `change` makes of the newest Scale. */
export async function writeScale(
  exchange: Exchange,
  target: ResourceRequest,
  change: (scale: ScaleObject) => ScaleObject,
): Promise<void> {
  const { resource, namespace, name = '' } = target;
  const mapping = mappingOf(resource);
  const { object } = await exchange.context.registry.modify(
    resource,
    namespace,
    name,
    (current) => {
      if (!current) throw notFound(resource, name);
      const next = scaled(resource, current, change(scaleOf(mapping, current)));
      checkWrite(exchange, target, next, current);
      return next;
    },
    {
      fieldManager: fieldManagerOf(exchange),
      dryRun: isDryRun(exchange, 'UpdateOptions'),
      requester: exchange.user,
      warn: warningsOf(exchange),
      subresource: 'scale',
    },
  );
  sendScale(exchange, target, object);
}

function scaled(resource: ResourceDefinition, current: KubeObject, scale: ScaleObject): KubeObject {
  const { name = '', namespace, uid, resourceVersion } = current.metadata;
  if (scale.metadata.name && scale.metadata.name !== name)
    throw badRequest(
      `the name of the object (${scale.metadata.name}) does not match the name on the URL (${name})`,
    );
  if (scale.metadata.namespace && scale.metadata.namespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  if (scale.metadata.uid && scale.metadata.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${scale.metadata.uid}, UID in object meta: ${uid}`;
    throw conflict(resource, name, why);
  }
  if (scale.metadata.resourceVersion && scale.metadata.resourceVersion !== resourceVersion)
    throw conflict(resource, name);
  const replicas = scale.spec?.replicas ?? 0;
  checkReplicas(name, replicas);
  return mappingOf(resource).withReplicas(current, replicas);
}

function checkReplicas(name: string, replicas: number): void {
  if (replicas < 0)
    throw invalid('autoscaling', 'Scale', name, [
      invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
}

/** The part of a workload that a Scale says something of. */
export function configurationOf(resource: ResourceDefinition, name: string, scale: ScaleObject): KubeObject {
  const { metadata, spec } = scale;
  const part: KubeObject = { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata };
  if (spec?.replicas === undefined) return part;
  checkReplicas(name, spec.replicas);
  return mappingOf(resource).withReplicas(part, spec.replicas);
}

export function decodeScale(exchange: Exchange, body: ParsedBody): ScaleObject {
  return decodeObject(exchange, SCALE, body) as ScaleObject;
}
