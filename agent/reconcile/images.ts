import { Limit } from '../../proto/limit.ts';
import { INSUFFICIENT_DISK } from '../../proto/pod-update.ts';
import { roomProblem } from '../pod/free-disk.ts';
import { digestOf, digestProblem } from '../pod/image-digest.ts';
import { type Failure, type ImageState, PULL_DENIED } from '../pod/observation.ts';
import { type FoundImage, type PullSecret, type Runtime, RuntimeError } from '../runtime/runtime.ts';

const UNKNOWN: ImageState = {
  absent: false,
  present: false,
  pulling: false,
  digest: undefined,
  triedAtMs: undefined,
  failure: undefined,
};

/** What came of a pull. */
export interface PullEnd {
  readonly failure: Failure | undefined;
  /** What was there before, or somebody has put there meanwhile: nothing was downloaded. */
  readonly wasThere: boolean;
  readonly sizeBytes: number;
  /** Of the download; and since it was asked for. */
  readonly tookMs: number;
  readonly waitedMs: number;
}

export interface ImagesOptions {
  readonly runtime: Pick<Runtime, 'disk' | 'findImage' | 'pull' | 'removeImage'>;
  /** How many pulls are under way at most. */
  readonly pullsAtOnce: number;
  readonly monotonicMs: () => number;
  /** A pull has ended, well or, for a reason, not: pods that use the image must be looked at. */
  readonly onPulled: (image: string, end: PullEnd) => void;
  readonly onProgress?: (image: string, doneBytes: number, totalBytes: number) => void;
  /** It was not on the engine before this pull. */
  readonly onNew?: (image: string, id: string) => void;
}

/** Why an image is not downloaded, in one word. */
type PullReason =
  | 'ErrImagePull'
  | 'InvalidImageName'
  | 'DigestMismatch'
  | typeof INSUFFICIENT_DISK
  | typeof PULL_DENIED;

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
  /** Failures by image and who was refused. */
  readonly #denials = new Map<string, Map<string, Failure>>();
  readonly #pulledAtMs = new Map<string, number>();
  readonly #slots: Limit;

  constructor(options: ImagesOptions) {
    this.#options = options;
    this.#slots = new Limit(options.pullsAtOnce);
  }

  /** As `puller` has it: a registry that refuses one may not refuse another. Without one, as whoever was refused last. */
  get(image: string, puller?: string): ImageState {
    const state = this.#states.get(image) ?? UNKNOWN;
    const denials = this.#denials.get(image);
    const denial = puller === undefined ? [...(denials?.values() ?? [])].at(-1) : denials?.get(puller);
    return denial ? { ...state, failure: denial } : state;
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

  /** Whether it was downloaded then or later, which was told. */
  isPulledSince(image: string, atMs: number): boolean {
    return (this.#pulledAtMs.get(image) ?? Number.NEGATIVE_INFINITY) >= atMs;
  }

  /** What failed may work now. */
  forgetFailure(image: string): void {
    this.#denials.delete(image);
    if (this.get(image).failure) this.#set(image, { failure: undefined });
  }

  /** Starts a pull and returns at once. `minFreeDisk`: what must be free on the disk before it. */
  pull(image: string, minFreeDisk?: string, secrets: readonly PullSecret[] = [], puller = ''): void {
    if (this.get(image).pulling) return;
    this.#set(image, { pulling: true });
    const askedAtMs = this.#options.monotonicMs();
    void this.#slots.run(() => this.#pull(image, askedAtMs, { minFreeDisk, secrets, puller }));
  }

  async #pull(image: string, askedAtMs: number, request: PullRequest): Promise<void> {
    const { monotonicMs, onPulled } = this.#options;
    const { minFreeDisk } = request;
    const beganAtMs = monotonicMs();
    const end = { wasThere: false, sizeBytes: 0 };
    let isTried = true;
    let failure: Failure | undefined;
    try {
      // Somebody may have put it there by hand while the pull was waiting for its next attempt.
      const found = this.get(image).absent ? await this.#find(image) : undefined;
      end.wasThere = found !== undefined;
      if (!found) await this.#requireRoom(minFreeDisk);
      const had = found ?? (await this.#download(image, request.secrets));
      end.sizeBytes = had?.sizeBytes ?? 0;
      this.#see(image, had);
      this.forgetFailure(image);
    } catch (error) {
      failure = this.#failure(image, error, request.puller);
      const isDenied = failure.reason === PULL_DENIED;
      isTried = !isDenied && !(failure.reason === INSUFFICIENT_DISK && minFreeDisk !== undefined);
      if (isDenied) this.#deny(image, request.puller, failure);
      else this.#set(image, { failure });
    }
    const nowMs = monotonicMs();
    this.#set(image, { pulling: false, ...(isTried && { triedAtMs: nowMs }) });
    if (!failure && !end.wasThere) this.#pulledAtMs.set(image, nowMs);
    onPulled(image, { ...end, failure, tookMs: nowMs - beganAtMs, waitedMs: nowMs - askedAtMs });
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

  async #download(image: string, secrets: readonly PullSecret[]): Promise<FoundImage | undefined> {
    const { runtime, onNew, onProgress } = this.#options;
    const before = await runtime.findImage(image);
    await runtime.pull(image, { secrets, onProgress: (done, total) => onProgress?.(image, done, total) });
    const found = await runtime.findImage(image);
    const problem = digestProblem(image, found);
    if (problem) throw new PullError('DigestMismatch', problem);
    if (found && found.id !== before?.id) onNew?.(image, found.id);
    return found;
  }

  #see(image: string, found: FoundImage | undefined): void {
    const digest = found && digestOf(image, found);
    this.#set(image, { present: found !== undefined, absent: found === undefined, digest });
  }

  #deny(image: string, puller: string, failure: Failure): void {
    const denials = this.#denials.get(image) ?? new Map<string, Failure>();
    denials.delete(puller); // to the end of the order
    this.#denials.set(image, denials.set(puller, failure));
  }

  #failure(image: string, error: unknown, puller: string): Failure {
    return {
      count: (this.get(image, puller).failure?.count ?? 0) + 1,
      atMs: this.#options.monotonicMs(),
      reason: reasonOf(error),
      message: error instanceof Error ? error.message : String(error),
    };
  }

  #set(image: string, change: Partial<ImageState>): void {
    this.#states.set(image, { ...(this.#states.get(image) ?? UNKNOWN), ...change });
  }
}

interface PullRequest {
  readonly minFreeDisk: string | undefined;
  readonly secrets: readonly PullSecret[];
  readonly puller: string;
}

function reasonOf(error: unknown): PullReason {
  if (error instanceof PullError) return error.reason;
  const kind = error instanceof RuntimeError ? error.kind : 'other';
  if (kind === 'disk-full') return INSUFFICIENT_DISK;
  if (kind === 'image-name') return 'InvalidImageName';
  return kind === 'image-denied' ? PULL_DENIED : 'ErrImagePull';
}
