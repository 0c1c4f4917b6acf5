import type { PodStatus } from 'kubernetes-types/core/v1.d.ts';
import type { Logger } from 'pino';
import type { ObjectStatus } from '../../proto/gen/holdfast/v1/link_pb.ts';
import type { Registry, WatchEvent } from '../registry/registry.ts';
import { ApiError } from '../resources/api-error.ts';
import { isMirror, MIRROR_ANNOTATION } from '../resources/mirror-pod.ts';
import { controllerOf, type KubeObject, objectKey } from '../resources/object.ts';
import { namespaces, nodes, pods } from '../resources/table-of-resources.ts';
import type { PodObject } from '../resources/typed.ts';
import { decode } from '../schema/decode.ts';
import { schemaOf } from '../schema/schema.ts';
import { WorkQueue } from '../sync/work-queue.ts';
import { mergedPodStatus } from './merge-status.ts';

export interface MirrorPodsOptions {
  readonly registry: Registry;
  /** Throws what a device may not show. */
  readonly check: (node: string, mirror: KubeObject) => void;
  readonly log: Logger;
  readonly now?: () => number;
}

/** A pod that a device runs by itself, as it said last. */
interface StaticPod {
  readonly node: string;
  /** The device's. */
  readonly uid: string;
  readonly pod: KubeObject;
  /** Undefined before the device has looked. */
  readonly status: PodStatus | undefined;
  /** Whether the object has it: what the hub itself writes there later is to stay. */
  isTold: boolean;
}

const AGENT = { fieldManager: 'holdfast-agent' } as const;
/** What cannot be shown (a quota, a namespace that is not there) is tried again. */
const REFUSED_RETRY_MS = 60_000;

/**
 * Shows the pods that devices run by themselves: an object for each, that is made again when somebody deletes it. What it
 * shows follows from what the device has said since this hub runs; a device says everything when it connects.
 */
export class MirrorPods {
  readonly #options: MirrorPodsOptions;
  readonly #queue: WorkQueue;
  /** By namespace/name. */
  readonly #wanted = new Map<string, StaticPod>();
  /** Devices that have said everything: what they did not name is not there. */
  readonly #heard = new Set<string>();
  /** Why one is not shown, so that it is told once. */
  readonly #refusals = new Map<string, string>();
  readonly #stopWatching: (() => void)[] = [];

  constructor(options: MirrorPodsOptions) {
    this.#options = options;
    this.#queue = new WorkQueue({
      sync: (key) => this.#sync(key),
      onError: ({ key, error, retryInMs }) =>
        options.log.error({ err: error, pod: key, retryInMs }, 'a pod of a device could not be shown'),
    });
  }

  start(): void {
    const { registry } = this.#options;
    const from = { fromRevision: registry.revision };
    this.#stopWatching.push(
      registry.watch(pods, from, (event) => this.#podChanged(event)),
      registry.watch(nodes, from, (event) => this.#nodeChanged(event)),
      registry.watch(namespaces, from, (event) => this.#namespaceChanged(event)),
    );
  }

  async stop(): Promise<void> {
    for (const stop of this.#stopWatching) stop();
    await this.#queue.stop();
  }

  /** Takes what a device says of its own pods; false for an object that is none of these. Throws what is not valid. */
  take(node: string, object: ObjectStatus): boolean {
    const key = `${object.namespace}/${object.name}`;
    const known = this.#wanted.get(key);
    if (object.staticPod.length === 0) {
      if (!object.gone || known?.node !== node || known.uid !== object.uid) return false;
      this.#wanted.delete(key);
    } else if (known && known.node !== node) {
      this.#options.log.warn({ node, pod: key, shownFor: known.node }, 'two devices have a pod of this name');
      return true;
    } else {
      const isTold = object.status.length === 0;
      const status = isTold ? known?.status : (parse(object.status) as PodStatus);
      this.#wanted.set(key, { node, uid: object.uid, pod: mirrorOf(node, object), status, isTold });
    }
    this.#queue.add(key);
    return true;
  }

  /** The device has said everything: what it has not named (by the uids that it gave) is not there any more. */
  heardAll(node: string, uids: ReadonlySet<string>): void {
    this.#heard.add(node);
    for (const [key, { node: of, uid }] of this.#wanted)
      if (of === node && !uids.has(uid)) this.#wanted.delete(key);
    for (const pod of this.#options.registry.byIndex(pods, 'spec.nodeName', node))
      if (isMirror(pod)) this.#queue.add(objectKey(pod));
  }

  /** By which its device knows the pod. What an object says of itself is not believed: anybody could write it. */
  deviceUidOf(pod: PodObject): string {
    const wanted = this.#wanted.get(objectKey(pod));
    return wanted && isMirror(pod) && wanted.node === pod.spec.nodeName
      ? wanted.uid
      : (pod.metadata.uid ?? '');
  }

  /** Of the object that shows the pod which the device knows by this uid. */
  objectUidOf(node: string, deviceUid: string): string {
    for (const [key, wanted] of this.#wanted)
      if (wanted.node === node && wanted.uid === deviceUid) return this.#get(key)?.metadata.uid ?? deviceUid;
    return deviceUid;
  }

  #podChanged(event: WatchEvent): void {
    if (event.type === 'SYNCED') return;
    const key = objectKey(event.object);
    if (isMirror(event.object) || this.#wanted.has(key)) this.#queue.add(key);
  }

  /** Who deletes a Node may mean to do without the device for ever. */
  #nodeChanged(event: WatchEvent): void {
    if (event.type !== 'DELETED') return;
    const { name = '' } = event.object.metadata;
    this.#heard.delete(name);
    for (const [key, { node }] of this.#wanted) if (node === name) this.#wanted.delete(key);
  }

  #namespaceChanged(event: WatchEvent): void {
    if (event.type !== 'ADDED') return;
    const { name = '' } = event.object.metadata;
    for (const key of this.#wanted.keys()) if (key.startsWith(`${name}/`)) this.#queue.add(key);
  }

  async #sync(key: string): Promise<number | undefined> {
    const wanted = this.#wanted.get(key);
    try {
      await this.#removeOther(key, wanted);
      if (wanted) await this.#show(key, wanted);
      this.#refusals.delete(key);
      return undefined;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code === 409) throw error;
      if (this.#refusals.get(key) !== error.message)
        this.#options.log.warn(
          { err: error, node: wanted?.node, pod: key },
          'a pod of a device is not shown',
        );
      this.#refusals.set(key, error.message);
      return REFUSED_RETRY_MS;
    }
  }

  /** An object that shows what is not there, or was there before. */
  async #removeOther(key: string, wanted: StaticPod | undefined): Promise<void> {
    const current = this.#get(key);
    if (!current || !isMirror(current) || (wanted && this.#isOf(current, wanted))) return;
    if (!wanted && !this.#heard.has(current.spec.nodeName ?? '')) return;
    const { namespace, name = '', uid } = current.metadata;
    const preconditions = uid ? { uid } : {};
    await this.#options.registry.delete(pods, namespace, name, { gracePeriodSeconds: 0, preconditions });
  }

  async #show(key: string, wanted: StaticPod): Promise<void> {
    const { registry, check } = this.#options;
    const owner = registry.get(nodes, undefined, wanted.node);
    if (!owner) return; // it is made when the device connects anew
    if (!this.#get(key)) {
      const mirror = ownedBy(owner, wanted.pod);
      check(wanted.node, mirror);
      await registry.create(pods, mirror, AGENT);
      wanted.isTold = false;
    }
    const current = this.#get(key);
    if (current && !this.#isOf(current, wanted))
      throw new ApiError(403, 'Forbidden', `another pod has the name ${key}`, {});
    if (wanted.status && !wanted.isTold) await this.#tell(key, wanted, wanted.status);
    wanted.isTold = true;
  }

  async #tell(key: string, wanted: StaticPod, status: PodStatus): Promise<void> {
    const { registry, now = Date.now } = this.#options;
    const [namespace = '', name = ''] = key.split('/');
    const change = (current: KubeObject | undefined) => {
      if (!current || !this.#isOf(current as PodObject, wanted)) throw gone(key);
      const merged = mergedPodStatus((current as PodObject).status, status, now());
      return { ...current, status: merged };
    };
    await registry.modify(pods, namespace, name, change, { ...AGENT, subresource: 'status' });
  }

  #isOf(current: PodObject, { node, uid }: StaticPod): boolean {
    return (
      current.metadata.annotations?.[MIRROR_ANNOTATION] === uid &&
      current.spec.nodeName === node &&
      controllerOf(current)?.uid === this.#options.registry.get(nodes, undefined, node)?.metadata.uid
    );
  }

  #get(key: string): PodObject | undefined {
    const [namespace = '', name = ''] = key.split('/');
    return this.#options.registry.get(pods, namespace, name) as PodObject | undefined;
  }
}

/** The object but for who owns it: of what a device says nothing is taken that is not a pod's own. */
function mirrorOf(node: string, { namespace, name, uid, staticPod }: ObjectStatus): KubeObject {
  const { object, errors } = decode(schemaOf(pods.schema), parse(staticPod));
  if (errors.length > 0) throw invalid(`the pod ${namespace}/${name} of a device is not valid: ${errors[0]}`);
  if (!name.endsWith(`-${node}`))
    throw invalid(`the name of pod ${namespace}/${name} does not end in -${node}`);
  const { metadata, spec } = object as unknown as PodObject;
  const { labels, annotations } = metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...{ namespace, name },
      ...(labels && { labels }),
      annotations: { ...annotations, [MIRROR_ANNOTATION]: uid },
    },
    spec: { ...spec, nodeName: node },
  };
}

function ownedBy(node: KubeObject, mirror: KubeObject): KubeObject {
  const { name = '', uid = '' } = node.metadata;
  const owner = { apiVersion: 'v1', kind: 'Node', name, uid, controller: true };
  // Whoever stores it may add to it.
  return structuredClone({ ...mirror, metadata: { ...mirror.metadata, ownerReferences: [owner] } });
}

function parse(json: Uint8Array): unknown {
  return JSON.parse(Buffer.from(json).toString());
}

function invalid(message: string): ApiError {
  return new ApiError(400, 'BadRequest', message, {});
}

function gone(key: string): ApiError {
  return new ApiError(409, 'Conflict', `pod ${key} was replaced meanwhile`, {});
}
