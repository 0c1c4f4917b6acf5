import { createHash } from 'node:crypto';

/** Seeded chance: the same seed and the same question always give the same answer, in whatever order questions come. */
export type Draw = (...question: (string | number)[]) => number;

/** A number, or the least and the greatest between which one is drawn. */
export type Range = number | readonly [number, number];

const BYTES = 6;

/** Answers are numbers from 0 up to, and without, 1. */
export function drawFrom(seed: string | number): Draw {
  return (...question) => {
    const digest = createHash('sha256')
      .update(JSON.stringify([seed, ...question]))
      .digest();
    return digest.readUIntBE(0, BYTES) / 2 ** (8 * BYTES);
  };
}

export function within(range: Range, chance: number): number {
  if (typeof range === 'number') return range;
  const [least, greatest] = range;
  return least + (greatest - least) * chance;
}
