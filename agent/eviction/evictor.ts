import { Limit } from '../../proto/limit.ts';
import { measureEmptyDirs } from '../pod/empty-dirs.ts';
import type { Verdict } from '../pod/observation.ts';
import type { Pod } from '../pod/pod.ts';
import type { VolumeRoots } from '../pod/volumes.ts';
import type { ObservedContainer, Runtime } from '../runtime/runtime.ts';
import {
  type ContainerUse,
  evictionMessage,
  evictionOrder,
  overStorageLimit,
  type PodUse,
} from './eviction-plan.ts';
import { hasStorageLimit } from './storage-limit.ts';
import { type Crossing, pressureOf } from './thresholds.ts';

/** As from the kubelet: who is ended for want of something does not get the time that it asked for. */
const GRACE_SECONDS = 1;
/** Images that nobody needs are looked for so often at most. */
const IMAGES_AGAIN_MS = 60_000;
const UNTIL_STATS_MS = 5_000;
/** Each takes a connection to the engine. */
const AT_ONCE = 4;

/** What the pods of the device are, and how one is ended. */
export interface Evictable {
  livePods(): readonly Pod[];
  running(): readonly ObservedContainer[];
  /** Whether something still runs of one that was evicted. */
  isEvicting(): boolean;
  freeImages(): Promise<void>;
  evict(uid: string, verdict: Verdict): void;
}

export interface EvictorOptions {
  readonly pods: Evictable;
  readonly runtime: Pick<Runtime, 'diskUse' | 'stats'>;
  readonly roots: VolumeRoots;
  readonly monotonicMs: () => number;
}

/** Measures pods, and ends those that the plan names. Loaded when there is a reason to. */
export class Evictor {
  readonly #options: EvictorOptions;
  readonly #limit = new Limit(AT_ONCE);
  #freedImagesAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: EvictorOptions) {
    this.#options = options;
  }

  /** Ends one pod, the next. False: there is none that would help. */
  async evictNext(crossing: Crossing): Promise<boolean> {
    const { pods } = this.#options;
    const isDisk = pressureOf(crossing.signal) === 'DiskPressure';
    const uses = await Promise.all(pods.livePods().map((pod) => this.#measure(pod, isDisk)));
    const [first] = evictionOrder(crossing.signal, uses);
    if (!first) return false;
    this.#evict(first.pod, evictionMessage(crossing, first), isDisk);
    return true;
  }

  /** Resolves with whether images were looked for: the disk may have room then. */
  async freeImages(): Promise<boolean> {
    const { pods, monotonicMs } = this.#options;
    if (monotonicMs() - this.#freedImagesAtMs < IMAGES_AGAIN_MS) return false;
    this.#freedImagesAtMs = monotonicMs();
    await pods.freeImages();
    return true;
  }

  /** Ends the pods that hold more of the disk than they may. */
  async enforceLimits(): Promise<void> {
    for (const pod of this.#options.pods.livePods().filter(hasStorageLimit)) {
      const message = overStorageLimit(await this.#measure(pod, true));
      if (message !== undefined) this.#evict(pod, message, true);
    }
  }

  #evict({ metadata }: Pod, message: string, isDisk: boolean): void {
    const verdict = { reason: 'Evicted', message, graceSeconds: GRACE_SECONDS };
    this.#options.pods.evict(metadata.uid, { ...verdict, ...(isDisk && { freesDisk: true }) });
  }

  /** `isDisk`: what it holds of the disk, else of all other things. */
  async #measure(pod: Pod, isDisk: boolean): Promise<PodUse> {
    const { pods, roots } = this.#options;
    const own = pods.running().filter(({ podUid }) => podUid === pod.metadata.uid);
    const containers = await Promise.all(
      own.map((each) => this.#limit.run(() => this.#measureContainer(each, isDisk))),
    );
    return { pod, containers, volumes: isDisk ? await measureEmptyDirs(pod, roots) : new Map() };
  }

  /** What cannot be asked counts nothing: it may end at any moment. */
  async #measureContainer(
    { id, container: name }: ObservedContainer,
    isDisk: boolean,
  ): Promise<ContainerUse> {
    const { runtime } = this.#options;
    if (isDisk) {
      const diskBytes = await runtime.diskUse(id).catch(() => 0);
      return { name, memoryBytes: 0, diskBytes, processes: 0 };
    }
    const stats = await runtime.stats(id, AbortSignal.timeout(UNTIL_STATS_MS)).catch(() => undefined);
    return { name, memoryBytes: stats?.workingSetBytes ?? 0, diskBytes: 0, processes: stats?.processes ?? 0 };
  }
}
