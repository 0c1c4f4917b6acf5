import type { Registry } from '../../registry/registry.ts';
import { apiVersionOf } from '../../resources/definition.ts';
import { type KubeObject, objectKey } from '../../resources/object.ts';
import { endpointSlices, nodes, pods, services } from '../../resources/table-of-resources.ts';
import type { EndpointSliceObject, PodObject, ServiceObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { controllerReference } from '../ownership.ts';
import { changeExisting } from '../status.ts';
import { isOurs, planSlices, SERVICE_NAME, type SliceContent, sliceLabels } from './endpoint-slice-plan.ts';

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
    ],
    sync: (key) => syncService(context, key),
  });
}

/** Those that select the pod, and those that told of it when it still had other labels. */
function servicesOf(registry: Registry, pod: KubeObject): string[] {
  const { namespace = '', labels = {} } = pod.metadata;
  const selecting = Object.entries(labels)
    .flatMap(([key, value]) => registry.byIndex(services, 'selector', `${namespace}/${key}=${value}`))
    .filter((service) => selects(service as ServiceObject, pod));
  const telling = registry.byIndex(endpointSlices, 'pod', objectKey(pod)).filter(isOurs);
  return [...selecting.map(objectKey), ...telling.flatMap(serviceOf)];
}

function serviceOf({ metadata: { namespace, labels } }: KubeObject): string[] {
  return [`${namespace}/${labels?.[SERVICE_NAME]}`];
}

function selects({ spec }: ServiceObject, { metadata: { labels } }: KubeObject): boolean {
  return Object.entries(spec.selector ?? {}).every(([key, value]) => labels?.[key] === value);
}

async function syncService({ registry }: ControllerContext, key: string): Promise<undefined> {
  const { namespace, name } = splitKey(key);
  const service = registry.get(services, namespace, name) as ServiceObject | undefined;
  // Without a selector, or with a name outside, somebody else knows where it leads. What is gone is the collector's.
  if (!service || service.metadata.deletionTimestamp || service.spec.type === 'ExternalName')
    return undefined;
  const [selected] = services.indexes?.['selector']?.(service) ?? [];
  if (selected === undefined) return undefined;
  const candidates = registry.byIndex(pods, 'label', selected) as readonly PodObject[];
  const plan = planSlices(
    service,
    candidates.filter((pod) => selects(service, pod)),
    registry.byIndex(endpointSlices, 'service', key).filter(isOurs) as EndpointSliceObject[],
    (node) => registry.get(nodes, undefined, node)?.metadata.labels?.[ZONE],
  );
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
      unlessGone(registry.delete(endpointSlices, namespace, metadata.name ?? '', {})),
    ),
  ]);
  return undefined;
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
