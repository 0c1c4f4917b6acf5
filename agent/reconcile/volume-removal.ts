import type { Logger } from 'pino';
import type { ClaimedVolume } from '../pod/pod.ts';
import { removeDirectories } from '../pod/volume-files.ts';
import { claimedDirectory, type VolumeRoots } from '../pod/volumes.ts';
import type { DesiredState } from '../state/desired-state.ts';

const RETRY_MS = 60_000;

export interface VolumeRemovalOptions {
  readonly desired: Pick<DesiredState, 'abandonedVolumes'>;
  readonly roots: VolumeRoots;
  /** Nothing is left of it. */
  readonly onRemoved: (volume: ClaimedVolume) => void;
  readonly log: Logger;
}

/**
 * Removes what volumes hold that nobody claims any more: only those that the hub names. One that it does not know, as
 * after it was restored from a backup, stays.
 */
export class VolumeRemoval {
  readonly #options: VolumeRemovalOptions;
  readonly #removed = new Set<string>(); // uids
  #retry: NodeJS.Timeout | undefined;
  #isWorking = false;

  constructor(options: VolumeRemovalOptions) {
    this.#options = options;
  }

  /** Those of which nothing is left, for as long as the hub has not heard of it. */
  get removed(): readonly ClaimedVolume[] {
    return this.#options.desired.abandonedVolumes.filter(({ metadata }) => this.#removed.has(metadata.uid));
  }

  async look(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    try {
      for (let next = this.#next(); next; next = this.#next()) await this.#remove(next);
    } catch (error) {
      this.#options.log.error({ err: error, retryInMs: RETRY_MS }, 'a volume could not be removed');
      clearTimeout(this.#retry);
      this.#retry = setTimeout(() => void this.look(), RETRY_MS).unref();
    } finally {
      this.#isWorking = false;
    }
  }

  close(): void {
    clearTimeout(this.#retry);
  }

  #next(): ClaimedVolume | undefined {
    return this.#options.desired.abandonedVolumes.find(({ metadata }) => !this.#removed.has(metadata.uid));
  }

  async #remove(volume: ClaimedVolume): Promise<void> {
    await removeDirectories([claimedDirectory(volume, this.#options.roots)]);
    this.#removed.add(volume.metadata.uid);
    this.#options.onRemoved(volume);
  }
}
