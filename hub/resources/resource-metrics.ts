import { type ObjectSchema, type Schema, schemaOf } from '../schema/schema.ts';
import { column, nameColumn } from './cells.ts';
import { defineResource } from './define.ts';
import type { Column, ResourceDefinition } from './definition.ts';
import type { KubeObject } from './object.ts';
import { addQuantities, canonicalQuantity, parseQuantity, type Quantity } from './quantity.ts';
import { formatTime } from './time.ts';
import type { PodObject } from './typed.ts';

/*
 * What nodes and pods use: `metrics.k8s.io`, which in Kubernetes a server of its own adds. Nothing of it is stored:
 * `hub/api/resource-metrics.ts` asks the devices when somebody asks for it.
 */

/** What a device or a container uses: CPU on average over the window, memory at its end. */
export interface Usage {
  readonly cpuNanocores: bigint;
  readonly windowMs: number;
  readonly workingSetBytes: bigint;
}

/** What a device told. */
export interface NodeUsage {
  readonly atMs: number;
  readonly device: Usage | undefined;
  /** By the pod's uid. */
  readonly pods: ReadonlyMap<string, readonly ContainerUsage[]>;
}

export interface ContainerUsage {
  readonly name: string;
  readonly usage: Usage;
}

type Amounts = Readonly<Record<'cpu' | 'memory', string>>;

interface Measured extends KubeObject {
  timestamp: string;
  window: string;
}

interface NodeMetrics extends Measured {
  usage: Amounts;
}

interface PodMetrics extends Measured {
  containers: { name: string; usage: Amounts }[];
}

const GROUP = 'metrics.k8s.io';
const VERSION = 'v1beta1';

/** Undefined when the device did not tell. */
export function nodeMetricsOf(node: KubeObject, { atMs, device }: NodeUsage): NodeMetrics | undefined {
  if (!device) return undefined;
  return { ...measured(nodeMetrics, node, atMs, device.windowMs), usage: amountsOf(device) };
}

/** Undefined for a pod of which no container was measured. What it does not have is not believed. */
export function podMetricsOf(pod: KubeObject, { atMs, pods }: NodeUsage): PodMetrics | undefined {
  const { initContainers = [], containers: main } = (pod as PodObject).spec;
  const found = pods.get(pod.metadata.uid ?? '') ?? [];
  const containers = [...initContainers, ...main].flatMap(
    ({ name }) => found.find((each) => each.name === name) ?? [],
  );
  if (containers.length === 0) return undefined;
  const windowMs = Math.max(...containers.map(({ usage }) => usage.windowMs));
  return {
    ...measured(podMetrics, pod, atMs, windowMs),
    containers: containers.map(({ name, usage }) => ({ name, usage: amountsOf(usage) })),
  };
}

function measured(
  { kind }: ResourceDefinition,
  { metadata: { name, namespace, labels } }: KubeObject,
  atMs: number,
  windowMs: number,
): Measured {
  const timestamp = formatTime(atMs);
  return {
    kind,
    apiVersion: `${GROUP}/${VERSION}`,
    metadata: {
      ...(name && { name }),
      ...(namespace && { namespace }),
      ...(labels && { labels }),
      creationTimestamp: timestamp,
    },
    timestamp,
    window: durationText(windowMs),
  };
}

function amountsOf({ cpuNanocores, workingSetBytes }: Usage): Amounts {
  return {
    cpu: canonicalQuantity({ value: cpuNanocores, scale: -9, format: 'decimal' }),
    memory: canonicalQuantity({ value: workingSetBytes, scale: 0, format: 'binary' }),
  };
}

/** As Go writes durations: `950ms`, `1.5s`, `1m0.5s`. */
export function durationText(durationMs: number): string {
  if (durationMs > 0 && durationMs < 1000) return `${durationMs}ms`;
  const [hours, minutes] = [Math.floor(durationMs / 3_600_000), Math.floor(durationMs / 60_000) % 60];
  const seconds = `${(durationMs % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

/** Of all that was measured, in one cell. */
function amountColumn(name: keyof Amounts, description: string): Column {
  const cell = (object: KubeObject) => {
    const { usage, containers = [] } = object as Partial<NodeMetrics & PodMetrics>;
    const amounts = usage ? [usage] : containers.map((each) => each.usage);
    const sum = amounts.map((each) => quantityOf(each[name])).reduce(addQuantities);
    // Less than 1 Ki is spelled in decimal, which says nothing about how the sum is to be.
    return canonicalQuantity({ ...sum, format: name === 'memory' ? 'binary' : 'decimal' });
  };
  return column(name, description, cell, { format: 'quantity' });
}

function quantityOf(text: string): Quantity {
  return parseQuantity(text) ?? { value: 0n, scale: 0, format: 'decimal' };
}

const columns: readonly Column[] = [
  nameColumn,
  amountColumn('cpu', 'CPU used, on average over the window.'),
  amountColumn('memory', 'Working set: memory that cannot be taken back at once.'),
  column('Window', 'The time over which CPU was measured.', (object) => (object as Measured).window, {
    format: 'duration',
  }),
];

const TYPES = 'io.k8s.metrics.pkg.apis.metrics.v1beta1';
const USAGE = {
  schema: { type: 'map', values: { type: 'quantity' } } as Schema,
  description: 'What is used: `cpu` in cores on average over the window, `memory` as working set in bytes.',
  required: true,
};

function schemaFor(kind: string, description: string, fields: ObjectSchema['fields']): ObjectSchema {
  return {
    type: 'object',
    name: `${TYPES}.${kind}`,
    description,
    kinds: [{ group: GROUP, version: VERSION, kind }],
    fields: new Map([
      [
        'apiVersion',
        { schema: { type: 'string' }, description: 'The group and version of this representation.' },
      ],
      ['kind', { schema: { type: 'string' }, description: 'The kind of this object.' }],
      [
        'metadata',
        {
          schema: schemaOf('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'),
          description: 'Name and labels of what was measured.',
        },
      ],
      ['timestamp', { schema: { type: 'time' }, description: 'When the window ended.', required: true }],
      [
        'window',
        {
          schema: { type: 'string' },
          description: 'How long before the timestamp measuring began, as a duration: `10.5s`.',
          required: true,
        },
      ],
      ...fields,
    ]),
  };
}

const CONTAINER: ObjectSchema = {
  type: 'object',
  name: `${TYPES}.ContainerMetrics`,
  description: 'What one container uses.',
  fields: new Map([
    ['name', { schema: { type: 'string' }, description: 'The name of the container.', required: true }],
    ['usage', USAGE],
  ]),
};

function defineMetrics(plural: string, namespaced: boolean, schema: ObjectSchema): ResourceDefinition {
  const [{ kind } = { kind: '' }] = schema.kinds ?? [];
  // Without a singular name, as the metrics server has it: `kubectl get node x` must mean the node.
  const names = { kind, plural, singular: '' };
  return defineResource({
    ...{ group: GROUP, version: VERSION, ...names, namespaced, schema },
    verbs: ['get', 'list'],
    columns,
  });
}

export const nodeMetrics = defineMetrics(
  'nodes',
  false,
  schemaFor('NodeMetrics', 'What a node uses.', new Map([['usage', USAGE]])),
);

export const podMetrics = defineMetrics(
  'pods',
  true,
  schemaFor(
    'PodMetrics',
    'What the containers of a pod use.',
    new Map([
      [
        'containers',
        {
          schema: { type: 'list', items: CONTAINER, listType: 'atomic', mapKeys: [] },
          description: 'The containers that run and were measured.',
          required: true,
        },
      ],
    ]),
  ),
);

export const resourceMetrics: readonly ResourceDefinition[] = [nodeMetrics, podMetrics];
