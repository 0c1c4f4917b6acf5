import type { Logger } from 'pino';
import { imagesOf } from '../pod/pod.ts';
import type { Runtime, StoredImage } from '../runtime/runtime.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { DesiredState } from '../state/desired-state.ts';
import { bytesToFree, garbage, type Thresholds, usedPercent } from './image-gc-plan.ts';
import { nextRevisions, type RevisionImages, rememberedImages, workloadOf } from './revision-images.ts';

/** After what may have changed the disk; several such things come at once. */
const QUIET_MS = 1_000;
/** While the disk is rather full: others write to it as well. */
const AGAIN_MS = 5 * 60_000;

export interface ImageGcOptions {
  readonly runtime: Pick<Runtime, 'disk' | 'findImage' | 'images' | 'removeImage'>;
  readonly desired: Pick<DesiredState, 'pods' | 'version'>;
  readonly state: Pick<
    AgentState,
    'forgetPulledImage' | 'forgetRevisionImages' | 'pulledImages' | 'revisionImages' | 'saveRevisionImages'
  >;
  readonly thresholds: Thresholds;
  /** What came from files, by name. */
  readonly imported: () => Promise<readonly string[]>;
  /** Of the node. */
  readonly onEvent: (reason: string, message: string) => void;
  readonly onRemoved: (image: string) => void;
  readonly now: () => number;
  readonly log: Logger;
}

/** Removes images that nobody needs, once the engine's disk is full of them. Woken by what happens; its clock runs only while the disk is rather full. */
export class ImageGc {
  readonly #options: ImageGcOptions;
  readonly #usedAtMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isPressed = false;

  constructor(options: ImageGcOptions) {
    this.#options = options;
  }

  /** A container of the image was removed. */
  released(imageId: string): void {
    this.#usedAtMs.set(imageId, this.#options.now());
    this.changed();
  }

  /** The disk may be fuller, or an image not needed any more. `isPressed`: something did not fit. */
  changed(isPressed = false): void {
    this.#isPressed ||= isPressed;
    this.#arm(QUIET_MS);
  }

  /** At once, and all that nobody needs. Resolves when that is done. */
  freeAll(): Promise<void> {
    this.#isPressed = true;
    this.#running = this.#running.then(() => this.#look());
    return this.#running;
  }

  /** Remembers which images workloads leave behind. */
  desiredChanged(): void {
    const { desired, state, now } = this.#options;
    if (!desired.version) return;
    const before = new Map(
      [...state.revisionImages()].map(([workload, record]) => [
        workload,
        JSON.parse(record) as RevisionImages,
      ]),
    );
    const wanted = new Map<string, Set<string>>();
    for (const pod of desired.pods.values()) {
      const workload = workloadOf(pod.metadata);
      if (workload === undefined) continue;
      const images = wanted.get(workload) ?? new Set();
      for (const { image } of imagesOf(pod)) images.add(image);
      wanted.set(workload, images);
    }
    for (const [workload, next] of nextRevisions(before, wanted, now())) {
      if (next) state.saveRevisionImages(workload, JSON.stringify(next));
      else state.forgetRevisionImages(workload);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #arm(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#running = this.#running.then(() => this.#look());
    }, delayMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const { runtime, desired, thresholds, log, onEvent } = this.#options;
    if (!desired.version) return; // nothing is known to be unwanted
    const isPressed = this.#isPressed;
    this.#isPressed = false;
    try {
      const disk = await runtime.disk();
      if (!disk) return;
      const needed = isPressed ? Number.POSITIVE_INFINITY : bytesToFree(disk, thresholds);
      const freed = needed > 0 ? await this.#free(needed) : 0;
      if (freed < needed && !isPressed) {
        const message = `Failed to garbage collect required amount of images. Attempted to free ${needed} bytes, but only found ${freed} bytes eligible to free.`;
        onEvent('FreeDiskSpaceFailed', message);
      }
      if (usedPercent(disk) > thresholds.low) this.#arm(AGAIN_MS);
    } catch (error) {
      log.warn({ err: error }, 'images that nobody needs could not be removed');
      onEvent('ImageGCFailed', (error as Error).message);
    }
  }

  /** Resolves with how many bytes the images had that are gone. */
  async #free(bytes: number): Promise<number> {
    const { runtime, state, thresholds, now } = this.#options;
    const images = await runtime.images();
    const there = new Set(images.map(({ id }) => id));
    for (const { id } of state.pulledImages()) if (!there.has(id)) state.forgetPulledImage(id);
    const candidates = garbage({
      images,
      pulled: state.pulledImages(),
      kept: await this.#kept(),
      usedAtMs: this.#usedAtMs,
      nowMs: now(),
      minAgeMs: thresholds.minAgeMs,
    });
    let freed = 0;
    for (const image of candidates) {
      if (freed >= bytes) break;
      if (await this.#remove(image)) freed += image.sizeBytes;
    }
    return freed;
  }

  async #kept(): Promise<Set<string>> {
    const { desired, state, imported, runtime, now } = this.#options;
    const records = [...state.revisionImages().values()].map(
      (record) => JSON.parse(record) as RevisionImages,
    );
    const names = new Set([
      ...[...desired.pods.values()].flatMap((pod) => imagesOf(pod).map(({ image }) => image)),
      ...rememberedImages(records, now()),
      ...(await imported()),
    ]);
    const found = await Promise.all([...names].map((name) => runtime.findImage(name)));
    return new Set(found.flatMap((each) => each?.id ?? []));
  }

  /** Resolves with whether it is gone: the engine keeps what somebody has begun to use. */
  async #remove({ id, names, sizeBytes }: StoredImage): Promise<boolean> {
    const { runtime, state, onRemoved, log } = this.#options;
    for (const name of [...names, id]) await runtime.removeImage(name);
    if (await runtime.findImage(id)) return false;
    state.forgetPulledImage(id);
    this.#usedAtMs.delete(id);
    log.info({ image: id, names, sizeBytes }, 'an image that nobody needs was removed');
    for (const name of names) onRemoved(name);
    return true;
  }
}
