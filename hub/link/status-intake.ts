import type { NodeStatus, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import type { Logger } from 'pino';
import type { NodeEvent, ObjectStatus, StatusReport } from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { Registry } from '../registry/registry.ts';
import { ApiError, notFound } from '../resources/api-error.ts';
import { DIRECTORY_FINALIZER, nodeOfLocalPath } from '../resources/local-path.ts';
import type { KubeObject } from '../resources/object.ts';
import { events, namespaces, nodes, persistentVolumes, pods } from '../resources/table-of-resources.ts';
import type { NodeObject, PersistentVolumeObject, PodObject } from '../resources/typed.ts';
import { eventObject } from './event-object.ts';
import { mergedNodeStatus, mergedPodStatus } from './merge-status.ts';
import type { MirrorPods } from './mirror-pods.ts';

const AGENT = { fieldManager: 'holdfast-agent' } as const;
const STATUS = { ...AGENT, subresource: 'status' } as const;

interface NodeReport {
  readonly labels?: Readonly<Record<string, string>>;
  readonly status?: NodeStatus;
}

/** Writes what agents report into the registry. A node may speak of itself, of the pods that are bound to it, and of its own. */
export class StatusIntake {
  readonly #registry: Registry;
  readonly #mirrors: Pick<MirrorPods, 'take' | 'heardAll'>;
  readonly #log: Logger;
  readonly #now: () => number;

  constructor(
    registry: Registry,
    mirrors: Pick<MirrorPods, 'take' | 'heardAll'>,
    log: Logger,
    now: () => number = Date.now,
  ) {
    this.#registry = registry;
    this.#mirrors = mirrors;
    this.#log = log;
    this.#now = now;
  }

  /** Resolves when all of it is durable: the agent then forgets it. */
  async take(node: string, { objects, complete, events: told, droppedEvents }: StatusReport): Promise<void> {
    if (droppedEvents > 0)
      this.#log.warn({ node, dropped: droppedEvents }, 'the node lost events for want of room');
    const writes = [
      ...objects.map((object) => this.#takeObject(node, object)),
      ...told.map((event) => this.#takeEvent(node, event)),
    ];
    if (complete) this.#mirrors.heardAll(node, new Set(objects.map(({ uid }) => uid)));
    await Promise.all(writes.map((write) => this.#tolerate(node, write)));
  }

  async #takeObject(node: string, object: ObjectStatus): Promise<void> {
    if (object.kind === 'Node' && object.name === node) return this.#takeNode(node, parse(object));
    if (object.kind === 'PersistentVolume' && object.gone) return this.#releaseVolume(node, object);
    if (object.kind !== 'Pod' || this.#mirrors.take(node, object)) return;
    const pod = this.#registry.get(pods, object.namespace, object.name) as PodObject | undefined;
    if (!pod || pod.metadata.uid !== object.uid || pod.spec.nodeName !== node) return;
    if (object.gone) await this.#removePod(pod);
    else await this.#takePod(pod, parse(object));
  }

  async #takePod(pod: PodObject, status: PodStatus): Promise<void> {
    const { namespace, name = '', uid } = pod.metadata;
    await this.#registry.modify(
      pods,
      namespace,
      name,
      (current) => {
        if (!current || current.metadata.uid !== uid) throw notFound(pods, name);
        const { status: before } = current as PodObject;
        return { ...current, status: mergedPodStatus(before, status, this.#now()) };
      },
      STATUS,
    );
  }

  /** The agent has ended and removed all of it: only now may the object go. */
  async #removePod({ metadata: { namespace, name = '', uid, deletionTimestamp } }: PodObject): Promise<void> {
    if (!deletionTimestamp) return;
    await this.#registry.delete(pods, namespace, name, {
      gracePeriodSeconds: 0,
      ...(uid && { preconditions: { uid } }),
    });
  }

  /** The device has removed the directory: the volume may go. */
  async #releaseVolume(node: string, { name, uid }: ObjectStatus): Promise<void> {
    const volume = this.#registry.get(persistentVolumes, undefined, name) as
      | PersistentVolumeObject
      | undefined;
    if (
      !volume?.metadata.deletionTimestamp ||
      volume.metadata.uid !== uid ||
      nodeOfLocalPath(volume) !== node
    )
      return;
    const change = (current: KubeObject | undefined) => {
      if (!current || current.metadata.uid !== uid) throw notFound(persistentVolumes, name);
      const finalizers = current.metadata.finalizers?.filter((each) => each !== DIRECTORY_FINALIZER);
      return { ...current, metadata: { ...current.metadata, finalizers: finalizers ?? [] } };
    };
    await this.#registry.modify(persistentVolumes, undefined, name, change, AGENT);
  }

  async #takeNode(node: string, { labels, status }: NodeReport): Promise<void> {
    if (labels) await this.#takeLabels(node, labels);
    if (!status) return;
    await this.#registry.modify(
      nodes,
      undefined,
      node,
      (current) => {
        if (!current) throw notFound(nodes, node);
        return { ...current, status: mergedNodeStatus((current as NodeObject).status, status, this.#now()) };
      },
      STATUS,
    );
  }

  async #takeLabels(node: string, labels: Readonly<Record<string, string>>): Promise<void> {
    await this.#registry.modify(
      nodes,
      undefined,
      node,
      (current) => {
        if (!current) throw notFound(nodes, node);
        const before = current.metadata.labels ?? {};
        if (Object.entries(labels).every(([key, value]) => before[key] === value)) return current;
        return { ...current, metadata: { ...current.metadata, labels: { ...before, ...labels } } };
      },
      AGENT,
    );
  }

  async #takeEvent(node: string, event: NodeEvent): Promise<void> {
    if (!mayTell(node, event)) return;
    const object = eventObject(node, event);
    const { namespace = '', name = '' } = object.metadata;
    if (!this.#registry.get(namespaces, undefined, namespace)) return;
    const change = (current: KubeObject | undefined) =>
      current
        ? {
            ...current,
            count: object['count'],
            lastTimestamp: object['lastTimestamp'],
            message: object['message'],
          }
        : object;
    await this.#registry.modify(events, namespace, name, change, AGENT);
  }

  /** One object that cannot be written must not keep the others, for ever sent again, from being acknowledged. */
  async #tolerate(node: string, write: Promise<void>): Promise<void> {
    try {
      await write;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === 404 || error.code === 409) return; // it was deleted or replaced meanwhile
      this.#log.warn({ err: error, node }, 'a status that the node reported was refused');
    }
  }
}

/** Of Nodes a device may speak of its own alone, and of nothing else that is in no namespace. */
function mayTell(node: string, { kind, name, namespace }: NodeEvent): boolean {
  if (kind === 'Node') return name === node && namespace === '';
  return namespace !== '';
}

function parse<T>(object: ObjectStatus): T {
  return JSON.parse(Buffer.from(object.status).toString()) as T;
}
