import type { ImageGc, ImageGcOptions } from './image-gc.ts';

/** What removes images, loaded when there is something to look at: for most of a device's life there is not. */
export class LazyImageGc {
  readonly #options: ImageGcOptions;
  #gc: Promise<ImageGc> | undefined;
  #isClosed = false;

  constructor(options: ImageGcOptions) {
    this.#options = options;
  }

  /** As the method of ImageGc. */
  released(imageId: string): void {
    void this.#with((gc) => gc.released(imageId));
  }

  /** As the method of ImageGc. */
  changed(isPressed?: boolean): void {
    void this.#with((gc) => gc.changed(isPressed));
  }

  /** As the method of ImageGc. */
  desiredChanged(): void {
    void this.#with((gc) => gc.desiredChanged());
  }

  /** As the method of ImageGc. */
  async freeAll(): Promise<void> {
    let done: Promise<void> | undefined;
    await this.#with((gc) => {
      done = gc.freeAll();
    });
    await done;
  }

  /** The engine may have another disk than before. While that has room, nothing is loaded. */
  async lookAtDisk(): Promise<void> {
    const { runtime, thresholds } = this.#options;
    const disk = await runtime.disk().catch(() => undefined); // a broken engine is found out by its event stream
    if (!disk || disk.freeBytes / disk.totalBytes > 1 - thresholds.low / 100) return;
    await this.#with((gc) => gc.changed());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    (await this.#gc)?.close();
  }

  async #with(work: (gc: ImageGc) => void): Promise<void> {
    if (this.#isClosed) return;
    this.#gc ??= import('./image-gc.ts').then(({ ImageGc }) => new ImageGc(this.#options));
    try {
      work(await this.#gc);
    } catch (error) {
      this.#options.log.error({ err: error }, 'images that nobody needs could not be looked at');
    }
  }
}
