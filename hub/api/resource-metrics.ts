import { methodNotAllowed, notFound } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { type KubeObject, objectKey } from '../resources/object.ts';
import {
  type NodeUsage,
  nodeMetrics,
  nodeMetricsOf,
  podMetrics,
  podMetricsOf,
} from '../resources/resource-metrics.ts';
import { selectionOf } from '../resources/selector.ts';
import { nodes, pods } from '../resources/table-of-resources.ts';
import type { PodObject } from '../resources/typed.ts';
import type { Exchange } from './exchange.ts';
import { sendList, sendObject } from './reply.ts';
import type { ResourceRequest } from './request-info.ts';

/** What a node and its containers use now. Undefined when it is not connected, or does not answer in time. */
export type UsageOf = (node: string) => Promise<NodeUsage | undefined>;

/** Whose metrics a resource shows. */
interface Subject {
  readonly resource: ResourceDefinition;
  /** The node that is to be asked; undefined for what uses nothing. */
  readonly nodeOf: (object: KubeObject) => string | undefined;
  readonly metricsOf: (object: KubeObject, usage: NodeUsage) => KubeObject | undefined;
}

const SUBJECTS = new Map<ResourceDefinition, Subject>([
  [nodeMetrics, { resource: nodes, nodeOf: ({ metadata }) => metadata.name, metricsOf: nodeMetricsOf }],
  [podMetrics, { resource: pods, nodeOf: nodeOfRunning, metricsOf: podMetricsOf }],
]);

function nodeOfRunning(object: KubeObject): string | undefined {
  const { spec, status } = object as PodObject;
  return status?.phase === 'Running' ? spec.nodeName : undefined;
}

function subjectOf({ resource }: ResourceRequest): Subject {
  const subject = SUBJECTS.get(resource);
  if (!subject) throw methodNotAllowed();
  return subject;
}

export async function getMetrics(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { resource, namespace, name = '' } = target;
  const subject = subjectOf(target);
  const object = exchange.context.registry.get(subject.resource, namespace, name);
  const [metrics] = object ? await metricsOf(exchange, subject, [object]) : [];
  // The kind in place of the plural, and the namespace with the name: so the metrics server says it.
  const missing = { group: resource.group, plural: resource.kind.toLowerCase() };
  if (!metrics) throw notFound(missing, objectKey({ metadata: { name, ...(namespace && { namespace }) } }));
  sendObject(exchange, 200, resource, metrics);
}

export async function listMetrics(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { resource, namespace } = target;
  const { searchParams: query } = exchange.url;
  const subject = subjectOf(target);
  const selection = selectionOf(subject.resource, {
    namespace,
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
  });
  const { items } = exchange.context.registry.list(subject.resource, selection);
  sendList(exchange, resource, await metricsOf(exchange, subject, items), {});
}

/** Of those that there are any of, in their order. Each node is asked once. */
async function metricsOf(
  { context }: Exchange,
  { nodeOf, metricsOf }: Subject,
  objects: readonly KubeObject[],
): Promise<KubeObject[]> {
  const names = new Set(objects.map(nodeOf).filter((node) => node !== undefined));
  const usages = new Map(
    await Promise.all([...names].map(async (node) => [node, await context.usage(node)] as const)),
  );
  return objects.flatMap((object) => {
    const usage = usages.get(nodeOf(object) ?? '');
    return (usage && metricsOf(object, usage)) ?? [];
  });
}
