import type { Container, LimitRangeItem } from 'kubernetes-types/core/v1.d.ts';
import type { Registry } from '../registry/registry.ts';
import { forbidden } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { type KubeObject, ownValue } from '../resources/object.ts';
import { podTotals } from '../resources/pod-totals.ts';
import { limitRanges, persistentVolumeClaims, pods } from '../resources/table-of-resources.ts';
import type { LimitRangeObject, PodObject } from '../resources/typed.ts';
import { creates } from './is-resource.ts';
import { type Amounts, boundErrors } from './limit-bounds.ts';
import type { AdmissionPlugin } from './plugin.ts';

const DEFAULTED = 'kubernetes.io/limit-ranger';

/** LimitRanges: amounts for containers that name none, and bounds for all. */
export function limitRanger(registry: Registry): AdmissionPlugin {
  const itemsOf = ({ metadata: { namespace = '' } }: KubeObject, type: string) =>
    registry
      .list(limitRanges, { namespace })
      .items.flatMap((range) => (range as LimitRangeObject).spec.limits ?? [])
      .filter((item) => item.type === type);
  return {
    complete: (request) => {
      if (!creates(request, pods)) return;
      for (const item of itemsOf(request.object, 'Container'))
        defaultContainers(request.object as PodObject, item);
    },
    check: (request) => {
      if (creates(request, pods)) {
        const pod = request.object as PodObject;
        const errors = [
          ...containersOf(pod).flatMap((container) =>
            itemsOf(pod, 'Container').flatMap((item) => boundErrors(item, amountsOf(container))),
          ),
          ...itemsOf(pod, 'Pod').flatMap((item) => boundErrors(item, podTotals(pod))),
        ];
        refuse(pods, pod, errors);
      }
      if (creates(request, persistentVolumeClaims)) {
        const { resources } = request.object.spec as { resources?: Partial<Amounts> };
        const amounts = { requests: resources?.requests ?? {}, limits: resources?.limits ?? {} };
        const items = itemsOf(request.object, 'PersistentVolumeClaim');
        refuse(
          persistentVolumeClaims,
          request.object,
          items.flatMap((item) => boundErrors(item, amounts)),
        );
      }
    },
  };
}

function refuse(resource: ResourceDefinition, object: KubeObject, errors: readonly string[]): void {
  if (errors.length === 0) return;
  const why = errors.length === 1 ? errors.join() : `[${errors.join(', ')}]`;
  throw forbidden(resource, object.metadata.name ?? '', why);
}

function containersOf({ spec }: PodObject): readonly Container[] {
  return [...spec.containers, ...(spec.initContainers ?? [])];
}

function amountsOf({ resources }: Container): Amounts {
  return { requests: resources?.requests ?? {}, limits: resources?.limits ?? {} };
}

/** What was filled in is told in an annotation, as Kubernetes does. */
function defaultContainers(pod: PodObject, item: LimitRangeItem): void {
  const told: string[] = [];
  for (const [kind, containers] of [
    ['container', pod.spec.containers],
    ['init container', pod.spec.initContainers ?? []],
  ] as const)
    for (const container of containers) {
      // A container that names a limit only has that as its request already: defaults came first.
      const requests = defaulted(container, 'requests', item.defaultRequest);
      const limits = defaulted(container, 'limits', item.default);
      if (requests.length > 0) told.push(`${requests.join(', ')} request for ${kind} ${container.name}`);
      if (limits.length > 0) told.push(`${limits.join(', ')} limit for ${kind} ${container.name}`);
    }
  if (told.length === 0) return;
  const text = `LimitRanger plugin set: ${told.join('; ')}`;
  pod.metadata.annotations = { ...pod.metadata.annotations, [DEFAULTED]: text };
}

/** The names of what it filled in. */
function defaulted(
  container: Container,
  part: 'requests' | 'limits',
  defaults: Readonly<Record<string, string>> = {},
): string[] {
  const resources = container.resources ?? {};
  const missing = Object.keys(defaults)
    .filter((name) => ownValue(resources[part], name) === undefined)
    .sort();
  if (missing.length === 0) return [];
  const filled = Object.fromEntries(missing.map((name) => [name, defaults[name] ?? '']));
  container.resources = { ...resources, [part]: { ...resources[part], ...filled } };
  return missing;
}
