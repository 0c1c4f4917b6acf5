import type { KeyObject } from 'node:crypto';
import type { Logger } from 'pino';
import type { SignedSnapshot, Version } from '../../proto/gen/holdfast/v1/link_pb.ts';
import { seal } from '../../proto/seal.ts';
import { compareVersions, compressObjects, formatVersion, signSnapshot } from '../../proto/snapshot.ts';
import type { Registry, WatchEvent } from '../registry/registry.ts';
import { podsSelectedBy, servicesSelecting } from '../registry/service-selection.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { isAbandoned, nodeOfLocalPath } from '../resources/local-path.ts';
import { type KubeObject, objectKey } from '../resources/object.ts';
import {
  configMaps,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  secrets,
  services,
} from '../resources/table-of-resources.ts';
import type {
  PersistentVolumeClaimObject,
  PersistentVolumeObject,
  PodObject,
  ServiceObject,
} from '../resources/typed.ts';
import { SEALING_KEY_ANNOTATION } from '../security/node-identity.ts';
import type { Store } from '../store/store.ts';
import { WorkQueue } from '../sync/work-queue.ts';
import { askedOfNode, REQUESTS } from './asked-of-node.ts';
import { type CompiledSnapshot, compileSnapshot, fingerprint } from './compile-snapshot.ts';

export interface DispatcherOptions {
  readonly registry: Registry;
  readonly store: Store;
  readonly cluster: string;
  /** Grows only when a hub is restored from a backup. */
  readonly epoch: bigint;
  /** Where the API is, on the host that devices know. */
  readonly apiPort: () => number;
  readonly signingKey: KeyObject;
  /** Brings a snapshot on its way to a node. */
  readonly send: (node: string, snapshot: SignedSnapshot) => void;
  readonly log: Logger;
  readonly now?: () => number;
}

/** The number and content of the newest snapshot of a node: durable before the snapshot is sent. */
interface Issued {
  readonly epoch: string;
  readonly revision: number;
  readonly hash: string;
}

/**
 * Compiles each node's snapshot when something in it may have changed, and sends it if it has. Found through indexes,
 * never by a search of all objects: a change costs what the nodes it concerns cost.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #queue: WorkQueue;
  readonly #issued = new Map<string, Issued & { readonly storeRevision: number }>();
  /** What each connected node has said that it holds; the newest that was sent to it counts as held. */
  readonly #held = new Map<string, Version | undefined>();
  /** Each Service as it was last seen: pods that it does not select any more have to learn of it. */
  readonly #services = new Map<string, ServiceObject>();
  /** What devices know of each pod that is bound to one, as far as it has changed since this hub began. */
  readonly #pods = new Map<string, { readonly print: string; readonly isEnding: boolean }>();
  /** What is asked of each device itself, as it was last seen: Nodes change with each heartbeat. */
  readonly #asked = new Map<string, string>();
  readonly #stopWatching: (() => void)[] = [];

  constructor(options: DispatcherOptions) {
    this.#options = options;
    for (const { key, value, revision } of options.store.list(PREFIX)) {
      this.#issued.set(key.slice(PREFIX.length), {
        ...(JSON.parse(value) as Issued),
        storeRevision: revision,
      });
    }
    this.#queue = new WorkQueue({
      sync: (node) => this.#sync(node),
      onError: ({ key: node, error, retryInMs }) =>
        options.log.error({ err: error, node, retryInMs }, 'the snapshot of a node could not be made'),
    });
  }

  start(): void {
    const { registry } = this.#options;
    const follow = (resource: ResourceDefinition, concerned: (event: WatchEvent) => void) =>
      this.#stopWatching.push(registry.watch(resource, { fromRevision: registry.revision }, concerned));
    follow(pods, (event) => this.#podChanged(event));
    follow(configMaps, (event) => this.#configurationChanged('configMap', event));
    follow(secrets, (event) => this.#configurationChanged('secret', event));
    for (const service of registry.list(services).items as ServiceObject[])
      this.#services.set(objectKey(service), service);
    follow(services, (event) => this.#serviceChanged(event));
    follow(persistentVolumeClaims, (event) => this.#claimChanged(event));
    follow(persistentVolumes, (event) => this.#volumeChanged(event));
    follow(nodes, (event) => this.#nodeChanged(event));
    // What was written while no dispatcher ran, or before a crash could issue it.
    for (const node of registry.list(nodes).items) {
      this.#noteAsked(node);
      this.#queue.add(node.metadata.name ?? '');
    }
  }

  /** A node has connected and says what it holds. */
  nodeHolds(node: string, held: Version | undefined): void {
    this.#held.set(node, held);
    this.#queue.add(node);
  }

  /** Another device has the node's place: what was sent is sealed to a key that it does not have. */
  nodeReplaced(node: string): void {
    this.#held.delete(node);
    this.#queue.add(node);
  }

  nodeGone(node: string): void {
    this.#held.delete(node);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stopWatching) stop();
    await this.#queue.stop();
  }

  /** Only what is in its snapshot: not that it reported. */
  #nodeChanged(event: WatchEvent): void {
    if (event.type === 'SYNCED') return;
    const { name = '' } = event.object.metadata;
    if (event.type === 'DELETED') this.#asked.delete(name);
    else if (this.#noteAsked(event.object)) this.#queue.add(name);
  }

  /** Whether something else is asked of the device than before. */
  #noteAsked({ metadata: { name = '', annotations } }: KubeObject): boolean {
    const asked = REQUESTS.map((request) => annotations?.[request] ?? '').join('\n');
    if ((this.#asked.get(name) ?? NOTHING_ASKED) === asked) return false;
    if (asked === NOTHING_ASKED) this.#asked.delete(name);
    else this.#asked.set(name, asked);
    return true;
  }

  #podChanged(event: WatchEvent): void {
    if (event.type === 'SYNCED') return;
    const { spec, metadata } = event.object as PodObject;
    if (!spec.nodeName) return;
    const key = objectKey(event.object);
    const seen = this.#pods.get(key);
    if (event.type === 'DELETED') {
      this.#pods.delete(key);
      // The device knows that it is to end, and will hear soon that it has, along with others.
      if (seen?.isEnding) this.#queue.addAfter(spec.nodeName, ENDED_DELAY_MS);
      else this.#queue.add(spec.nodeName);
      return;
    }
    const print = fingerprint(event.object);
    if (seen?.print === print) return; // to compile a snapshot costs as much as all of the node's pods
    this.#pods.set(key, { print, isEnding: metadata.deletionTimestamp !== undefined });
    this.#queue.add(spec.nodeName);
  }

  #configurationChanged(index: 'configMap' | 'secret', event: WatchEvent): void {
    if (event.type === 'SYNCED') return;
    for (const pod of this.#options.registry.byIndex(pods, index, objectKey(event.object))) {
      const { nodeName } = (pod as PodObject).spec;
      if (nodeName) this.#queue.add(nodeName);
    }
  }

  #claimChanged(event: WatchEvent): void {
    if (event.type === 'SYNCED') return;
    this.#claimUsersChanged(objectKey(event.object));
    const { volumeName = '' } = (event.object as PersistentVolumeClaimObject).spec;
    const volume = this.#options.registry.get(persistentVolumes, undefined, volumeName);
    if (volume) this.#deviceChanged(volume as PersistentVolumeObject);
  }

  #volumeChanged(event: WatchEvent): void {
    if (event.type === 'SYNCED') return;
    const volume = event.object as PersistentVolumeObject;
    this.#deviceChanged(volume);
    const { claimRef } = volume.spec;
    if (claimRef) this.#claimUsersChanged(`${claimRef.namespace}/${claimRef.name}`);
  }

  #claimUsersChanged(claim: string): void {
    for (const pod of this.#options.registry.byIndex(pods, 'claim', claim)) {
      const { nodeName } = (pod as PodObject).spec;
      if (nodeName) this.#queue.add(nodeName);
    }
  }

  /** That has the directory of the volume. */
  #deviceChanged(volume: PersistentVolumeObject): void {
    const node = nodeOfLocalPath(volume);
    if (node !== undefined) this.#queue.add(node);
  }

  #abandonedOn(node: string): PersistentVolumeObject[] {
    const { registry } = this.#options;
    const all = registry.byIndex(persistentVolumes, 'local-path.node', node) as PersistentVolumeObject[];
    return all.filter((volume) => {
      const { namespace, name = '' } = volume.spec.claimRef ?? {};
      return isAbandoned(volume, registry.get(persistentVolumeClaims, namespace, name));
    });
  }

  #serviceChanged(event: WatchEvent): void {
    if (event.type === 'SYNCED') return;
    const service = event.object as ServiceObject;
    const key = objectKey(service);
    for (const known of [this.#services.get(key), service]) {
      for (const { spec } of (known && podsSelectedBy(this.#options.registry, known)) ?? [])
        if (spec.nodeName) this.#queue.add(spec.nodeName);
    }
    if (event.type === 'DELETED') this.#services.delete(key);
    else this.#services.set(key, service);
  }

  /** Resolves to the ms after which the snapshot will be another by itself, if it will. */
  async #sync(node: string): Promise<number | undefined> {
    const { registry, epoch, now = Date.now } = this.#options;
    const object = registry.get(nodes, undefined, node);
    const sealingKey = object?.metadata.annotations?.[SEALING_KEY_ANNOTATION];
    if (!object || !sealingKey) return undefined; // no device has enrolled under this name
    const asked = askedOfNode(object, now());
    const compiled = compileSnapshot({
      pods: registry.byIndex(pods, 'spec.nodeName', node),
      servicesOf: (pod) => servicesSelecting(registry, pod),
      node: asked?.object,
      get: (resource, namespace, name) => registry.get(resource, namespace || undefined, name),
      abandoned: this.#abandonedOn(node),
      sealingKey,
      apiPort: this.#options.apiPort(),
    });
    const before = this.#issued.get(node);
    const isNew = before?.hash !== compiled.hash || BigInt(before.epoch) !== epoch;
    const issued = isNew ? await this.#issue(node, compiled) : before;
    const version = { epoch: BigInt(issued.epoch), revision: BigInt(issued.revision) } as Version;
    if (isNew || this.#isBehind(node, version)) this.#send(node, version, compiled, sealingKey);
    return asked?.leftMs;
  }

  /** Whether the node is connected and holds less than this. */
  #isBehind(node: string, version: Version): boolean {
    return this.#held.has(node) && compareVersions(this.#held.get(node), version) < 0;
  }

  async #issue(node: string, { hash }: CompiledSnapshot): Promise<Issued> {
    const { store, epoch } = this.#options;
    const before = this.#issued.get(node);
    const sameEpoch = before !== undefined && BigInt(before.epoch) === epoch;
    const issued = { epoch: String(epoch), revision: (sameEpoch ? before.revision : 0) + 1, hash };
    const key = PREFIX + node;
    const { revision } = await store.commit(
      [{ key, revision: before?.storeRevision ?? 0 }],
      [{ key, value: JSON.stringify(issued) }],
    );
    if (revision === undefined) throw new Error(`another writer issues snapshots for node "${node}"`);
    this.#issued.set(node, { ...issued, storeRevision: revision });
    return issued;
  }

  #send(
    node: string,
    version: Version,
    { objects, secrets: plain }: CompiledSnapshot,
    sealingKey: string,
  ): void {
    const { cluster, signingKey, apiPort, send, log } = this.#options;
    const snapshot = signSnapshot(
      {
        cluster,
        node,
        version,
        objects: compressObjects(objects),
        apiPort: apiPort(),
        ...(plain && { sealedObjects: seal(compressObjects(plain), Buffer.from(sealingKey, 'base64')) }),
      },
      signingKey,
    );
    if (this.#held.has(node)) this.#held.set(node, version);
    send(node, snapshot);
    log.debug({ node, version: formatVersion(version), bytes: snapshot.snapshot.length }, 'snapshot sent');
  }
}

const PREFIX = '/dispatch/';
/** A snapshot costs as much as all of its pods: that a hundred have ended, one by one, is not worth a hundred of them. */
const ENDED_DELAY_MS = 1_000;
const NOTHING_ASKED = REQUESTS.map(() => '').join('\n');
