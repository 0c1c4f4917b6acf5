import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { PersistentVolumeClaim } from 'kubernetes-types/core/v1.d.ts';
import type { Logger } from 'pino';
import {
  type SignedSnapshot,
  SignedSnapshotSchema,
  type Snapshot,
  type Version,
} from '../../proto/gen/holdfast/v1/link_pb.ts';
import { LOCAL_PATH_PROVISIONER, PROVISIONED_BY } from '../../proto/local-path.ts';
import { unseal } from '../../proto/seal.ts';
import {
  compareVersions,
  decodeObjects,
  formatVersion,
  openSnapshot,
  SnapshotRefused,
} from '../../proto/snapshot.ts';
import type { ClaimedVolume, ConfigMap, Configuration, Pod, Secret, Service } from '../pod/pod.ts';
import { configurationNames } from '../pod/references.ts';
import type { AgentState, Identity } from './agent-state.ts';

interface Objects {
  readonly version: Version | undefined;
  readonly pods: ReadonlyMap<string, Pod>; // by uid
  readonly configuration: ReadonlyMap<string, ConfigMap | Secret | Claim>; // by kind/namespace/name
  readonly services: ReadonlyMap<string, Service>; // by namespace/name
  readonly volumes: ReadonlyMap<string, ClaimedVolume>; // by name
  readonly node: OwnNode | undefined;
  readonly apiPort: number | undefined;
}

/** The Node of this device, as the hub sends it while something is asked of the device itself. */
export interface OwnNode {
  readonly kind: 'Node';
  readonly metadata: {
    readonly name: string;
    readonly uid?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** As far as the hub tells of it. */
type Claim = PersistentVolumeClaim;

/** What pods refer to by name, Secrets besides. */
const REFERRED: ReadonlySet<string> = new Set(['ConfigMap', 'PersistentVolumeClaim']);

const NOTHING: Objects = {
  version: undefined,
  pods: new Map(),
  configuration: new Map(),
  services: new Map(),
  volumes: new Map(),
  node: undefined,
  apiPort: undefined,
};

/**
 * What should run on this device: the newest snapshot that the hub signed for it. Nothing is acted on before it is
 * stored, and nothing older than what is held is ever taken.
 */
export class DesiredState implements Configuration {
  readonly #state: AgentState;
  readonly #identity: Pick<Identity, 'cluster' | 'node'>;
  readonly #hubKey: KeyObject;
  readonly #sealingKey: KeyObject;
  #objects: Objects = NOTHING;
  #staticPods: ReadonlyMap<string, Pod> = new Map();
  /** Another map whenever there are other pods, and only then. */
  #pods: ReadonlyMap<string, Pod> = NOTHING.pods;

  private constructor(state: AgentState, identity: Identity) {
    this.#state = state;
    this.#identity = identity;
    this.#hubKey = createPublicKey({
      key: Buffer.from(identity.snapshotKey, 'base64'),
      format: 'der',
      type: 'spki',
    });
    this.#sealingKey = createPrivateKey(identity.sealingKey);
  }

  /** Takes up the newest stored snapshot that is whole; none is held if there is none. */
  static load(state: AgentState, identity: Identity, log: Logger): DesiredState {
    const desired = new DesiredState(state, identity);
    for (const bytes of state.snapshots()) {
      try {
        desired.#objects = desired.#decode(fromBinary(SignedSnapshotSchema, bytes));
        desired.#pods = desired.#objects.pods;
        return desired;
      } catch (error) {
        log.error({ err: error }, 'a stored snapshot is damaged: trying the one before it');
      }
    }
    return desired;
  }

  /** What is held; undefined before the first snapshot, when it is not known what should run. */
  get version(): Version | undefined {
    return this.#objects.version;
  }

  /** SPKI DER: what the hub seals this device's secrets to. */
  get sealingPublicKey(): Uint8Array {
    return createPublicKey(this.#sealingKey).export({ format: 'der', type: 'spki' });
  }

  /** By uid: those that the hub wants here, and those of the device's own. */
  get pods(): ReadonlyMap<string, Pod> {
    return this.#pods;
  }

  /** The pods that the device runs by itself, whatever the hub says. */
  setStaticPods(pods: ReadonlyMap<string, Pod>): void {
    this.#staticPods = pods;
    this.#joinPods();
  }

  /** Whether it is known if the pod is wanted: before the first snapshot, only of the device's own. */
  decides(uid: string): boolean {
    return this.#objects.version !== undefined || this.#staticPods.has(uid);
  }

  /** The Services that lead to pods of this device, by `namespace/name`. */
  get services(): ReadonlyMap<string, Service> {
    return this.#objects.services;
  }

  /** Undefined while nothing is asked of the device itself. */
  get node(): OwnNode | undefined {
    return this.#objects.node;
  }

  /** Where the hub's API is, on the hub's host; undefined while that is not known. */
  get apiPort(): number | undefined {
    return this.#objects.apiPort;
  }

  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.#objects.configuration.get(`ConfigMap/${namespace}/${name}`) as ConfigMap | undefined;
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.#objects.configuration.get(`Secret/${namespace}/${name}`) as Secret | undefined;
  }

  /** The volume of a claim; undefined while it has none on this device. */
  volumeOf(namespace: string, claim: string): ClaimedVolume | undefined {
    const found = this.#objects.configuration.get(`PersistentVolumeClaim/${namespace}/${claim}`);
    return this.#objects.volumes.get((found as Claim | undefined)?.spec?.volumeName ?? '');
  }

  /** Volumes of this device that nobody claims any more: what they hold is to be removed. */
  get abandonedVolumes(): readonly ClaimedVolume[] {
    return [...this.#objects.volumes.values()].filter(
      ({ metadata }) =>
        metadata.deletionTimestamp && metadata.annotations?.[PROVISIONED_BY] === LOCAL_PATH_PROVISIONER,
    );
  }

  /** What the hub has sealed to this device. Throws when it is for another. */
  unseal(box: Uint8Array): Buffer {
    return unseal(box, this.#sealingKey);
  }

  /**
   * Stores a snapshot and makes it what should run. Returns the uids of the pods that it changes: new, gone, another
   * spec, or other configuration. The snapshot that is held already changes nothing. Throws SnapshotRefused, and then
   * everything is as before.
   */
  accept(signed: SignedSnapshot): Set<string> {
    const before = this.#objects;
    const next = this.#decode(signed);
    const order = compareVersions(next.version, before.version);
    if (order === 0) return new Set();
    if (order < 0) {
      const [offered, held] = [formatVersion(next.version), formatVersion(before.version)];
      throw new SnapshotRefused(`snapshot ${offered} is older than ${held}, which this device holds`);
    }
    try {
      this.#state.saveSnapshot(fileName(next.version), toBinary(SignedSnapshotSchema, signed));
    } catch (error) {
      throw new SnapshotRefused(
        'the snapshot cannot be stored on this device: free space on its data directory; it goes on with the one before',
        { cause: error },
      );
    }
    this.#objects = next;
    this.#joinPods();
    return changedPods(before, next);
  }

  #joinPods(): void {
    const { pods } = this.#objects;
    this.#pods = this.#staticPods.size === 0 ? pods : new Map([...pods, ...this.#staticPods]);
  }

  #decode(signed: SignedSnapshot): Objects {
    const snapshot = openSnapshot(signed, this.#hubKey);
    this.#checkAddressee(snapshot);
    const objects = decodeObjects<Pod | ConfigMap | Claim | Service | ClaimedVolume | OwnNode>(
      snapshot.objects,
    );
    const secrets = decodeObjects<Secret>(this.#unsealed(snapshot));
    const pods = objects.filter((object): object is Pod => object.kind === 'Pod');
    const services = objects.filter((object): object is Service => object.kind === 'Service');
    const configuration = [...objects.filter(({ kind }) => REFERRED.has(kind ?? '')), ...secrets];
    const volumes = objects.filter((object): object is ClaimedVolume => object.kind === 'PersistentVolume');
    return {
      version: snapshot.version,
      pods: new Map(pods.map((pod) => [pod.metadata.uid, pod])),
      configuration: new Map(configuration.map((object) => [nameOf(object), object as ConfigMap | Secret])),
      services: new Map(
        services.map((service) => [`${service.metadata.namespace}/${service.metadata.name}`, service]),
      ),
      volumes: new Map(volumes.map((volume) => [volume.metadata.name, volume])),
      node: objects.find((object): object is OwnNode => object.kind === 'Node'),
      apiPort: snapshot.apiPort || undefined,
    };
  }

  #checkAddressee({ cluster, node, version }: Snapshot): void {
    const mine = this.#identity;
    if (cluster !== mine.cluster || node !== mine.node) {
      throw new SnapshotRefused(
        `the snapshot is for node "${node}" of cluster "${cluster}"; this is "${mine.node}" of "${mine.cluster}"`,
      );
    }
    if (!version) throw new SnapshotRefused('the snapshot has no version');
  }

  #unsealed({ sealedObjects }: Snapshot): Uint8Array {
    if (sealedObjects.length === 0) return sealedObjects;
    try {
      return unseal(sealedObjects, this.#sealingKey);
    } catch (error) {
      throw new SnapshotRefused('the secrets of the snapshot are not sealed to this device', {
        cause: error,
      });
    }
  }
}

/** Numbers padded, so that names sort as versions do. */
function fileName(version: Version | undefined): string {
  const padded = (number: bigint | undefined) => String(number ?? 0n).padStart(20, '0');
  return `${padded(version?.epoch)}-${padded(version?.revision)}.snapshot`;
}

function nameOf({
  kind,
  metadata,
}: {
  kind?: string;
  metadata?: { namespace?: string; name?: string };
}): string {
  return `${kind}/${metadata?.namespace}/${metadata?.name}`;
}

function changedPods(before: Objects, next: Objects): Set<string> {
  const uids = new Set([...before.pods.keys(), ...next.pods.keys()]);
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b); // both are canonical
  return new Set(
    [...uids].filter((uid) => {
      const pod = next.pods.get(uid);
      if (!pod || !same(before.pods.get(uid), pod)) return true;
      return configurationNames(pod).some(
        (name) => !same(before.configuration.get(name), next.configuration.get(name)),
      );
    }),
  );
}
