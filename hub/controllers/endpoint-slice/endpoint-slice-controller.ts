import type { Registry } from '../../registry/registry.ts';
import { podsSelectedBy, servicesSelecting } from '../../registry/service-selection.ts';
import { apiVersionOf } from '../../resources/definition.ts';
import { controllerOf, type KubeObject, objectKey } from '../../resources/object.ts';
import { endpointSlices, endpoints, nodes, pods, services } from '../../resources/table-of-resources.ts';
import type { EndpointSliceObject, ServiceObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import {
  type ControllerContext,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { controllerReference } from '../ownership.ts';
import { changeExisting } from '../status.ts';
import {
  type EndpointGroup,
  endpointGroups,
  endpointsLabels,
  isOurs,
  planSlices,
  SERVICE_NAME,
  type SliceContent,
  sliceLabels,
} from './endpoint-slice-plan.ts';
import { endpointsOf } from './endpoints-plan.ts';

const SOURCE = 'endpointslice-controller';
const ZONE = 'topology.kubernetes.io/zone';

/** Tells of each Service with a selector where its pods are. */
export function startEndpointSliceController(context: ControllerContext): RunningController {
  const { registry } = context;
  return startController(context, {
    name: 'endpoint-slice',
    watches: [
      { resource: services, keys: ({ object }) => [objectKey(object)] },
      { resource: pods, keys: ({ object }) => servicesOf(registry, object) },
      { resource: endpointSlices, keys: ({ object }) => (isOurs(object) ? serviceOf(object) : []) },
      { resource: endpoints, keys: ({ object }) => (controllerOf(object) ? [objectKey(object)] : []) },
    ],
    sync: (key) => syncService(context, key),
  });
}

/** Those that select the pod, and those that told of it when it still had other labels. */
function servicesOf(registry: Registry, pod: KubeObject): string[] {
  const telling = registry.byIndex(endpointSlices, 'pod', objectKey(pod)).filter(isOurs);
  return [...servicesSelecting(registry, pod).map(objectKey), ...telling.flatMap(serviceOf)];
}

function serviceOf({ metadata: { namespace, labels } }: KubeObject): string[] {
  return [`${namespace}/${labels?.[SERVICE_NAME]}`];
}

async function syncService({ registry }: ControllerContext, key: string): Promise<undefined> {
  const { namespace, name } = splitKey(key);
  const service = registry.get(services, namespace, name) as ServiceObject | undefined;
  // What is gone is the collector's.
  if (!service || service.metadata.deletionTimestamp) return undefined;
  const selected = podsSelectedBy(registry, service);
  if (!selected) return undefined;
  const groups = endpointGroups(
    service,
    selected,
    (node) => registry.get(nodes, undefined, node)?.metadata.labels?.[ZONE],
  );
  await Promise.all([writeSlices(registry, service, groups), writeEndpoints(registry, service, groups)]);
  return undefined;
}

async function writeSlices(
  registry: Registry,
  service: ServiceObject,
  groups: readonly EndpointGroup[],
): Promise<void> {
  const slices = registry.byIndex(endpointSlices, 'service', objectKey(service)).filter(isOurs);
  const plan = planSlices(service, groups, slices as EndpointSliceObject[]);
  const labels = sliceLabels(service);
  const options = { fieldManager: SOURCE };
  const write = (slice: KubeObject, content: SliceContent) =>
    changeExisting(
      registry,
      endpointSlices,
      slice,
      (current) => ({ ...current, ...content, metadata: { ...current.metadata, labels } }),
      options,
    );
  await Promise.all([
    ...plan.create.map((content) => registry.create(endpointSlices, newSlice(service, content), options)),
    ...plan.update.map(({ slice, content }) => write(slice, content)),
    ...plan.remove.map(({ metadata }) =>
      unlessGone(registry.delete(endpointSlices, metadata.namespace, metadata.name ?? '', {})),
    ),
  ]);
}

/** The same under the Service's own name, for who reads the older kind. */
async function writeEndpoints(
  registry: Registry,
  service: ServiceObject,
  groups: readonly EndpointGroup[],
): Promise<void> {
  const { namespace = '', name = '' } = service.metadata;
  const labels = endpointsLabels(service);
  const { subsets, annotations } = endpointsOf(groups, service.spec.ipFamilies?.[0] ?? 'IPv4');
  const wanted: KubeObject = {
    apiVersion: apiVersionOf(endpoints),
    kind: endpoints.kind,
    metadata: {
      name,
      namespace,
      labels,
      ownerReferences: [controllerReference(services, service)],
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    ...(subsets.length > 0 && { subsets }),
  };
  const change = (current: KubeObject | undefined) => {
    if (!current) return wanted;
    const isSame =
      sameJson(current['subsets'], wanted['subsets']) && sameJson(current.metadata.labels, labels);
    return isSame ? current : { ...wanted, metadata: { ...current.metadata, ...wanted.metadata } };
  };
  await unlessGone(
    registry.modify(endpoints, namespace, name, change, { fieldManager: 'endpoint-controller' }),
  );
}

function newSlice(service: ServiceObject, content: SliceContent): KubeObject {
  const { namespace = '', name } = service.metadata;
  return {
    apiVersion: apiVersionOf(endpointSlices),
    kind: endpointSlices.kind,
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: sliceLabels(service),
      ownerReferences: [controllerReference(services, service)],
    },
    ...content,
  };
}
