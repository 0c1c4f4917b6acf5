import type { KubeObject } from '../resources/object.ts';
import { pods, services } from '../resources/table-of-resources.ts';
import type { PodObject, ServiceObject } from '../resources/typed.ts';
import type { Registry } from './registry.ts';

/* Which Services lead to which pods, found through indexes. A Service without a selector leads to none. */

export function servicesSelecting(registry: Registry, pod: KubeObject): ServiceObject[] {
  const { namespace = '', labels = {} } = pod.metadata;
  return Object.entries(labels)
    .flatMap(([key, value]) => registry.byIndex(services, 'selector', `${namespace}/${key}=${value}`))
    .filter((service): service is ServiceObject => selects(service as ServiceObject, pod));
}

/** Undefined for a Service whose pods somebody else knows: it has no selector, or a name outside. */
export function podsSelectedBy(registry: Registry, service: ServiceObject): PodObject[] | undefined {
  const [selected] = services.indexes?.['selector']?.(service) ?? [];
  if (selected === undefined || service.spec.type === 'ExternalName') return undefined;
  const candidates = registry.byIndex(pods, 'label', selected) as readonly PodObject[];
  return candidates.filter((pod) => selects(service, pod));
}

function selects({ spec }: ServiceObject, { metadata: { labels } }: KubeObject): boolean {
  const isElsewhere = spec.type === 'ExternalName';
  return !isElsewhere && Object.entries(spec.selector ?? {}).every(([key, value]) => labels?.[key] === value);
}
