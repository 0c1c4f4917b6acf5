import type { Descriptor } from './download.ts';

/** A disk, as far as an image is to be put on it. */
export interface Place {
  readonly path: string;
  /** Two places with the same are one disk. */
  readonly device: number;
  readonly freeBytes: number;
}

export interface Need {
  /** Parts of the image that the engine does not have. */
  readonly missing: readonly Descriptor[];
  /** How many bytes of them are downloaded already. */
  readonly thereBytes: number;
}

/** What layers are usually packed to; how large exactly they become only their end tells. */
const UNPACKED_PER_BYTE = 2.5;

/**
 * Why an image does not fit; undefined when it does. Its parts are kept as they are downloaded; then the engine keeps a copy of them
 * while it unpacks them. `engine` is undefined where nobody knows its disk.
 */
export function roomProblem(
  image: string,
  { missing, thereBytes }: Need,
  data: Place,
  engine: Place | undefined,
): string | undefined {
  const bytes = missing.reduce((sum, { size }) => sum + size, 0);
  const unpacked = missing.reduce(
    (sum, blob) => sum + blob.size * (isPacked(blob) ? UNPACKED_PER_BYTE : 1),
    0,
  );
  const downloads = bytes - thereBytes;
  const loads = bytes + unpacked;
  const isOneDisk = engine?.device === data.device;
  const places = isOneDisk
    ? [{ place: data, needed: downloads + loads }]
    : [{ place: data, needed: downloads }, ...(engine ? [{ place: engine, needed: loads }] : [])];
  const full = places.find(({ place, needed }) => needed > 0 && place.freeBytes < needed);
  if (!full) return undefined;
  const { place, needed } = full;
  return `image "${image}" needs about ${mebibytes(needed)} on "${place.path}", and ${mebibytes(place.freeBytes)} are free: make room`;
}

function isPacked({ mediaType = 'gzip' }: Descriptor): boolean {
  return /gzip|zstd/.test(mediaType);
}

const mebibytes = (bytes: number) => `${Math.ceil(bytes / 1024 / 1024)} MiB`;
