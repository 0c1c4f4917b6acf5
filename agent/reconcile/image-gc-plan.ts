import { withoutTag } from '../runtime/digest-tag.ts';
import type { EngineDisk, StoredImage } from '../runtime/runtime.ts';
import type { PulledImage } from '../state/agent-state.ts';

/*
 * Which images are removed when the disk is full: pure. As the kubelet has it, but for one thing: what this agent has not pulled
 * is somebody else's.
 * https://kubernetes.io/docs/concepts/architecture/garbage-collection/#containers-images
 */

export interface Thresholds {
  /** Percent of the disk that are used: from here on images are removed, */
  readonly high: number;
  /** until no more than so much is. */
  readonly low: number;
  /** How long an image is there before it is removed. */
  readonly minAgeMs: number;
}

export interface GarbageInput {
  readonly images: readonly StoredImage[];
  readonly pulled: readonly PulledImage[];
  /** Ids of those that a pod names, that one named in the revision before, or that somebody has imported. */
  readonly kept: ReadonlySet<string>;
  /** When a container of it was last removed, by the wall clock, as far as that is known. */
  readonly usedAtMs: ReadonlyMap<string, number>;
  readonly nowMs: number;
  readonly minAgeMs: number;
}

/** How many bytes must go; 0 when the disk has room. */
export function bytesToFree({ freeBytes, totalBytes }: EngineDisk, { high, low }: Thresholds): number {
  if (usedPercent({ freeBytes, totalBytes }) < high) return 0;
  return Math.max(0, Math.ceil((totalBytes * (100 - low)) / 100) - freeBytes);
}

export function usedPercent({ freeBytes, totalBytes }: Pick<EngineDisk, 'freeBytes' | 'totalBytes'>): number {
  return totalBytes > 0 ? 100 - Math.floor((freeBytes / totalBytes) * 100) : 0;
}

/** What may be removed, first what nobody has used for longest. */
export function garbage({ images, pulled, kept, usedAtMs, nowMs, minAgeMs }: GarbageInput): StoredImage[] {
  const mine = new Map(pulled.map((image) => [image.id, image]));
  const lastUsed = (id: string) => Math.max(usedAtMs.get(id) ?? 0, mine.get(id)?.atMs ?? 0);
  return images
    .filter(({ id, names, isUsed }) => {
      const row = mine.get(id);
      if (!row || isUsed || kept.has(id)) return false;
      // A clock that was set back makes nothing young for ever.
      const isYoung = Math.abs(nowMs - row.atMs) < minAgeMs;
      return !isYoung && names.every((name) => isOfRepository(name, row.name));
    })
    .sort((a, b) => lastUsed(a.id) - lastUsed(b.id));
}

/** Otherwise somebody has given it another name, and means to keep it. Engines leave out what they take for granted. */
function isOfRepository(name: string, pulled: string): boolean {
  const repositoryOf = (each: string) => withoutTag(each.split('@')[0] ?? '');
  return `/${repositoryOf(pulled)}`.endsWith(`/${repositoryOf(name)}`);
}
