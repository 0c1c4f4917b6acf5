import { randomInt } from 'node:crypto';

const GENERATED_SUFFIX_LENGTH = 5;
const GENERATED_PREFIX_LENGTH = 58; // so that prefix and suffix make a DNS label
const SUFFIX_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'; // no vowels: no words

/** `generateName` made a name: the prefix cut to 58 characters, and 5 random ones. */
export function generateName(prefix: string): string {
  const suffix = Array.from(
    { length: GENERATED_SUFFIX_LENGTH },
    () => SUFFIX_ALPHABET[randomInt(SUFFIX_ALPHABET.length)],
  );
  return prefix.slice(0, GENERATED_PREFIX_LENGTH) + suffix.join('');
}
