import type { ContainerImage } from 'kubernetes-types/core/v1.d.ts';
import { digestOfTag } from '../runtime/digest-tag.ts';
import type { StoredImage } from '../runtime/runtime.ts';

/** As many as a kubelet tells of, and so many names of each. */
const MOST_IMAGES = 50;
const MOST_NAMES = 5;
/** A pull is several events of the engine; nobody waits for this. */
const QUIET_MS = 1_000;

type Named = Pick<StoredImage, 'names' | 'sizeBytes'>;

/** The largest images, the largest first, by the names that pods know them by. */
export async function nodeImages(images: AsyncIterable<Named>): Promise<ContainerImage[]> {
  let largest: ContainerImage[] = [];
  for await (const { names, sizeBytes } of images) {
    if (names.length === 0) continue;
    largest.push({ names: toldNames(names), sizeBytes });
    if (largest.length >= 2 * MOST_IMAGES) largest = largestOf(largest);
  }
  return largestOf(largest);
}

function largestOf(images: readonly ContainerImage[]): ContainerImage[] {
  const nameOf = ({ names = [] }: ContainerImage) => names[0] ?? '';
  return images
    .toSorted((a, b) => (b.sizeBytes ?? 0) - (a.sizeBytes ?? 0) || (nameOf(a) < nameOf(b) ? -1 : 1))
    .slice(0, MOST_IMAGES);
}

function toldNames(names: readonly string[]): string[] {
  const all = new Set(names.map((name) => digestOfTag(name) ?? name));
  return [...all].sort(digestsFirst).slice(0, MOST_NAMES);
}

function digestsFirst(a: string, b: string): number {
  return Number(b.includes('@')) - Number(a.includes('@')) || (a < b ? -1 : 1);
}

export interface NodeImagesOptions {
  readonly list: () => AsyncIterable<Named>;
  /** They are others than before. */
  readonly onChange: () => void;
}

/** What the Node object says of the engine's images: looked up when the engine tells of a change, and never else. */
export class NodeImages {
  readonly #options: NodeImagesOptions;
  #timer: NodeJS.Timeout | undefined;
  /** Undefined while the engine was not asked. */
  images: readonly ContainerImage[] | undefined;

  constructor(options: NodeImagesOptions) {
    this.#options = options;
  }

  changed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), QUIET_MS).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const { list, onChange } = this.#options;
    try {
      const images = await nodeImages(list());
      const isSame = JSON.stringify(images) === JSON.stringify(this.images ?? []);
      this.images = images;
      if (!isSame) onChange();
    } catch {
      // The engine has gone: it is asked when it is back.
    }
  }
}
