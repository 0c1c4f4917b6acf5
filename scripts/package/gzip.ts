import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, crc32, deflateRaw } from 'node:zlib';

const deflate = promisify(deflateRaw);

/** Parts of this size are worth being remembered: there is one, Node.js, which is in most packages and is most of each. */
const LARGE_BYTES = 8 * 1024 * 1024;
const METHOD = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]); // deflate, best compression, Unix; of no name and time
const LAST_BLOCK = Buffer.from([3, 0]);

/** Compressed, by hash. */
const large = new Map<string, Promise<Buffer>>();

/**
 * One gzip stream (RFC 1952) of all the parts, the same for the same parts. A large one is compressed by itself, and once:
 * deflate (RFC 1951) goes on after any block that ends with a byte.
 */
export async function gzipOf(parts: readonly Buffer[]): Promise<Buffer> {
  const blocks = await Promise.all(joined(parts).map(blocksOf));
  const sums = Buffer.alloc(8);
  sums.writeUInt32LE(parts.reduce((sum, part) => crc32(part, sum), 0));
  sums.writeUInt32LE(parts.reduce((bytes, part) => bytes + part.length, 0) % 2 ** 32, 4);
  return Buffer.concat([METHOD, ...blocks, LAST_BLOCK, sums]);
}

/** What is between large parts, as one. */
function joined(parts: readonly Buffer[]): Buffer[] {
  const [small, all]: [Buffer[], Buffer[]] = [[], []];
  for (const part of parts) {
    if (part.length < LARGE_BYTES) small.push(part);
    else all.push(Buffer.concat(small.splice(0)), part);
  }
  return [...all, Buffer.concat(small)];
}

function blocksOf(part: Buffer): Promise<Buffer> {
  if (part.length < LARGE_BYTES) return compress(part);
  const hash = createHash('sha256').update(part).digest('hex');
  const found = large.get(hash) ?? compress(part);
  large.set(hash, found);
  return found;
}

const compress = (part: Buffer) => deflate(part, { level: 9, finishFlush: constants.Z_FULL_FLUSH });
