import { INSUFFICIENT_DISK } from '../../proto/pod-update.ts';
import { roomProblem } from '../pod/free-disk.ts';
import { digestOf, digestProblem } from '../pod/image-digest.ts';
import type { Failure, ImageState } from '../pod/observation.ts';
import type { FoundImage, Runtime } from '../runtime/runtime.ts';

const UNKNOWN: ImageState = {
  absent: false,
  present: false,
  pulling: false,
  digest: undefined,
  triedAtMs: undefined,
  failure: undefined,
};

export interface ImagesOptions {
  readonly runtime: Pick<Runtime, 'disk' | 'findImage' | 'pull' | 'removeImage'>;
  readonly monotonicMs: () => number;
  /** A pull has ended, well or, for a reason, not: pods that use the image must be looked at. */
  readonly onPulled: (image: string, failure: Failure | undefined) => void;
}

/** Why an image is not downloaded, in one word. */
type PullReason = 'ErrImagePull' | 'DigestMismatch' | typeof INSUFFICIENT_DISK;

class PullError extends Error {
  readonly reason: PullReason;

  constructor(reason: PullReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** What is known of each image, and the pulls that are under way: at most one per image. */
export class Images {
  readonly #options: ImagesOptions;
  readonly #states = new Map<string, ImageState>();

  constructor(options: ImagesOptions) {
    this.#options = options;
  }

  get(image: string): ImageState {
    return this.#states.get(image) ?? UNKNOWN;
  }

  /** The engine has just said that the image is not there. */
  markAbsent(image: string): void {
    this.#set(image, { absent: true, present: false });
  }

  /** Asks the engine whether the image is there. Of a failure nothing is learnt. */
  async check(image: string): Promise<void> {
    this.#see(image, await this.#find(image));
  }

  /** Makes room on the disk. An image that somebody else uses stays, which is found out when it is needed again. */
  async remove(image: string): Promise<void> {
    await this.#options.runtime.removeImage(image);
    this.markAbsent(image);
  }

  /** Starts a pull and returns at once. `minFreeDisk`: what must be free on the disk before it. */
  pull(image: string, minFreeDisk?: string): void {
    if (this.get(image).pulling) return;
    this.#set(image, { pulling: true });
    void this.#pull(image, minFreeDisk);
  }

  async #pull(image: string, minFreeDisk: string | undefined): Promise<void> {
    const { monotonicMs, onPulled } = this.#options;
    let isTried = true;
    try {
      // Somebody may have put it there by hand while the pull was waiting for its next attempt.
      const found = this.get(image).absent ? await this.#find(image) : undefined;
      if (!found) await this.#requireRoom(minFreeDisk);
      this.#see(image, found ?? (await this.#download(image)));
      this.#set(image, { failure: undefined });
    } catch (error) {
      const failure = this.#failure(image, error);
      isTried = failure.reason !== INSUFFICIENT_DISK;
      this.#set(image, { failure });
    }
    this.#set(image, { pulling: false, ...(isTried && { triedAtMs: monotonicMs() }) });
    onPulled(image, this.get(image).failure);
  }

  /** Undefined when it is not there, or another is there than its name says. */
  async #find(image: string): Promise<FoundImage | undefined> {
    const found = await this.#options.runtime.findImage(image);
    return digestProblem(image, found) === undefined ? found : undefined;
  }

  async #requireRoom(minFreeDisk: string | undefined): Promise<void> {
    if (minFreeDisk === undefined) return;
    const disk = await this.#options.runtime.disk();
    const problem = disk && roomProblem(minFreeDisk, disk);
    if (problem) throw new PullError(INSUFFICIENT_DISK, problem);
  }

  async #download(image: string): Promise<FoundImage | undefined> {
    const { runtime } = this.#options;
    await runtime.pull(image);
    const found = await runtime.findImage(image);
    const problem = digestProblem(image, found);
    if (problem) throw new PullError('DigestMismatch', problem);
    return found;
  }

  #see(image: string, found: FoundImage | undefined): void {
    const digest = found && digestOf(image, found);
    this.#set(image, { present: found !== undefined, absent: found === undefined, digest });
  }

  #failure(image: string, error: unknown): Failure {
    return {
      count: (this.get(image).failure?.count ?? 0) + 1,
      atMs: this.#options.monotonicMs(),
      reason: error instanceof PullError ? error.reason : 'ErrImagePull',
      message: error instanceof Error ? error.message : String(error),
    };
  }

  #set(image: string, change: Partial<ImageState>): void {
    this.#states.set(image, { ...this.get(image), ...change });
  }
}
