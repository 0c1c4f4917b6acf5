import type { Failure, ImageState } from '../pod/observation.ts';
import type { Runtime } from '../runtime/runtime.ts';

const UNKNOWN: ImageState = {
  absent: false,
  present: false,
  pulling: false,
  triedAtMs: undefined,
  failure: undefined,
};

export interface ImagesOptions {
  readonly runtime: Runtime;
  readonly monotonicMs: () => number;
  /** A pull has ended, well or, for a reason, not: pods that use the image must be looked at. */
  readonly onPulled: (image: string, failure: Failure | undefined) => void;
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
    const present = await this.#options.runtime.hasImage(image);
    this.#set(image, { present, absent: !present });
  }

  /** Makes room on the disk. An image that somebody else uses stays, which is found out when it is needed again. */
  async remove(image: string): Promise<void> {
    await this.#options.runtime.removeImage(image);
    this.markAbsent(image);
  }

  /** Starts a pull and returns at once. */
  pull(image: string): void {
    if (this.get(image).pulling) return;
    this.#set(image, { pulling: true });
    void this.#pull(image);
  }

  async #pull(image: string): Promise<void> {
    const { runtime, monotonicMs, onPulled } = this.#options;
    try {
      // Somebody may have put it there by hand while the pull was waiting for its next attempt.
      if (!(this.get(image).absent && (await runtime.hasImage(image)))) await runtime.pull(image);
      this.#set(image, { absent: false, present: true, failure: undefined });
    } catch (error) {
      this.#set(image, { failure: this.#failure(image, error) });
    }
    this.#set(image, { pulling: false, triedAtMs: monotonicMs() });
    onPulled(image, this.get(image).failure);
  }

  #failure(image: string, error: unknown): Failure {
    return {
      count: (this.get(image).failure?.count ?? 0) + 1,
      atMs: this.#options.monotonicMs(),
      reason: 'ErrImagePull',
      message: error instanceof Error ? error.message : String(error),
    };
  }

  #set(image: string, change: Partial<ImageState>): void {
    this.#states.set(image, { ...this.get(image), ...change });
  }
}
