import { join } from 'node:path';
import { pino } from 'pino';
import {
  type StartControllersOptions,
  startControllers,
} from '../../../hub/controllers/start-controllers.ts';
import { StoreRegistry } from '../../../hub/registry/store-registry.ts';
import { trackFields } from '../../../hub/registry/track-fields.ts';
import type { ResourceDefinition } from '../../../hub/resources/definition.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { namespaces, nodes, pods, resources } from '../../../hub/resources/table-of-resources.ts';
import type { NodeObject, PodObject } from '../../../hub/resources/typed.ts';
import { SqliteStore } from '../../../hub/store/sqlite-store.ts';
import { ensureSchema } from '../../../scripts/generate-schema.ts';

ensureSchema();

type Teardown = { teardown(end: () => unknown): void; testdir(files: Record<string, never>): string };

const BY_TEST = { fieldManager: 'test' };
/** Conditions are looked at after each change; this only ends a test that would wait for ever. */
const PATIENCE_MS = 20_000;

export const silent = pino({ level: 'silent' });

/** A registry on a real file, with the namespace `default`. */
export async function openRegistry(t: Teardown): Promise<StoreRegistry> {
  const store = SqliteStore.open(join(t.testdir({}), 'hub.db'));
  const registry = new StoreRegistry({ store, definitions: resources, trackFields });
  t.teardown(() => {
    registry.close();
    store.close();
  });
  await registry.create(
    namespaces,
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } },
    BY_TEST,
  );
  return registry;
}

/** Registry and controllers, and what a test does to them in a user's or an agent's place. */
export class Cluster {
  readonly registry: StoreRegistry;

  constructor(registry: StoreRegistry) {
    this.registry = registry;
  }

  static async start(
    t: Teardown,
    options: Partial<Omit<StartControllersOptions, 'registry'>> = {},
  ): Promise<Cluster> {
    const registry = await openRegistry(t);
    const controllers = startControllers({ registry, log: silent, ...options });
    t.teardown(() => controllers.stop());
    return new Cluster(registry);
  }

  /** Resolves once `holds` does; looked at again after every commit. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  create(resource: ResourceDefinition, object: object): Promise<KubeObject> {
    return this.registry.create(resource, object as KubeObject, BY_TEST);
  }

  async change(
    resource: ResourceDefinition,
    name: string,
    change: (object: KubeObject) => void,
    subresource?: 'status',
    namespace = 'default',
  ): Promise<KubeObject> {
    const { object } = await this.registry.modify(
      resource,
      resource.namespaced ? namespace : undefined,
      name,
      (current) => {
        if (!current) throw new Error(`there is no ${resource.singular} "${name}"`);
        const copy = structuredClone(current);
        change(copy);
        return copy;
      },
      { ...BY_TEST, ...(subresource && { subresource }) },
    );
    return object;
  }

  get<T extends KubeObject>(resource: ResourceDefinition, name: string): T {
    const found = this.find<T>(resource, name);
    if (!found) throw new Error(`there is no ${resource.singular} "${name}"`);
    return found;
  }

  find<T extends KubeObject>(resource: ResourceDefinition, name: string): T | undefined {
    const namespace = resource.namespaced ? 'default' : undefined;
    return this.registry.get(resource, namespace, name) as T | undefined;
  }

  list<T extends KubeObject>(resource: ResourceDefinition, namespace?: string): readonly T[] {
    return this.registry.list(resource, namespace === undefined ? {} : { namespace }).items as readonly T[];
  }

  /** A node that is ready and has room. */
  async addNode(
    name: string,
    { labels = {}, taints = [], allocatable = {}, ready = 'True' }: NodeTraits = {},
  ): Promise<NodeObject> {
    await this.create(nodes, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
      spec: { ...(taints.length > 0 && { taints }) },
    });
    return (await this.change(
      nodes,
      name,
      (node) => {
        node.status = {
          allocatable: { cpu: '4', memory: '8Gi', pods: '110', ...allocatable },
          conditions: [{ type: 'Ready', status: ready, lastTransitionTime: '2026-01-01T00:00:00Z' }],
        };
      },
      'status',
    )) as NodeObject;
  }

  /** What an agent reports once a pod's containers run. */
  async markReady(pod: PodObject, isReady = true): Promise<void> {
    const at = new Date().toISOString().replace(/\.\d+/, '');
    await this.change(
      pods,
      pod.metadata.name ?? '',
      (object) => {
        const status = object.status as NonNullable<PodObject['status']>;
        const others = (status.conditions ?? []).filter(({ type }) => type !== 'Ready');
        const ready = { type: 'Ready', status: isReady ? 'True' : 'False', lastTransitionTime: at };
        object.status = { ...status, phase: 'Running', conditions: [...others, ready] };
      },
      'status',
      pod.metadata.namespace,
    );
  }

  /** Agents everywhere: pods that are bound become ready, pods that end are gone. Returns the way to stop. */
  runAgents(isHealthy: (pod: PodObject) => boolean = () => true): () => void {
    const done = new Set<string>();
    const act = (pod: PodObject) => {
      const { namespace, name = '', uid = '', deletionTimestamp } = pod.metadata;
      const step = `${uid} ${deletionTimestamp ? 'end' : 'ready'}`;
      if (!pod.spec.nodeName || done.has(step)) return;
      if (!deletionTimestamp && !isHealthy(pod)) return;
      done.add(step);
      const act = deletionTimestamp
        ? this.registry.delete(pods, namespace, name, { gracePeriodSeconds: 0, preconditions: { uid } })
        : this.markReady(pod);
      act.catch(() => undefined); // somebody else was quicker
    };
    return this.registry.watch(pods, {}, (event) => {
      if (event.type !== 'SYNCED' && event.type !== 'DELETED') act(event.object as PodObject);
    });
  }
}

interface NodeTraits {
  readonly labels?: Record<string, string>;
  readonly taints?: readonly object[];
  readonly allocatable?: Record<string, string>;
  readonly ready?: string;
}

/** A template whose pods have the label `app`. */
export function template(app: string, image = 'busybox:1', spec: object = {}): object {
  return { metadata: { labels: { app } }, spec: { containers: [{ name: 'main', image }], ...spec } };
}

export function deployment(name: string, spec: object = {}): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: { selector: { matchLabels: { app: name } }, template: template(name), ...spec },
  };
}

export function barePod(name: string, spec: object = {}, labels: Record<string, string> = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { containers: [{ name: 'main', image: 'busybox:1' }], ...spec },
  };
}
