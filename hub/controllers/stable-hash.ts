import { createHash } from 'node:crypto';

/** No vowels and nothing that looks like something else: hashes become parts of names. */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const LENGTH = 10;

/** JSON with the keys of every object in order: the same value is always the same text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : part,
  );
}

/** Ten characters that fit into a name. `collisions` makes another hash of the same value. */
export function stableHash(value: unknown, collisions = 0): string {
  const digest = createHash('sha256').update(canonicalJson(value)).update(`:${collisions}`).digest();
  return [...digest.subarray(0, LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
}
