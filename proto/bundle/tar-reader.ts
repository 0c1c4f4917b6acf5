const BLOCK_BYTES = 512;
const REGULAR = new Set(['0', '\0', '']);
const DIRECTORY = '5';
/** An archive ends with zeros: more of them than any tar writes are no padding. */
const MOST_PADDING_BYTES = 1024 * 1024;

/** A file in an archive. Its content must be read to its end before the next one is asked for. */
export interface TarFile {
  readonly path: string;
  readonly size: number;
  readonly content: AsyncIterable<Buffer>;
}

/**
 * The files of a ustar archive, one after the other, in little memory. Directories are passed over; rejects at anything
 * else, unless `passOver`, where the archive breaks off, and where something follows its end.
 */
export async function* filesOfTar(
  archive: AsyncIterable<Buffer>,
  passOver = false,
): AsyncGenerator<TarFile, void> {
  const bytes = new Bytes(archive);
  for (;;) {
    const header = await bytes.take(BLOCK_BYTES);
    if (isZero(header)) return bytes.end();
    const type = text(header, 156, 1);
    const size = Number.parseInt(text(header, 124, 12) || '0', 8);
    if (!isHeader(header) || !Number.isSafeInteger(size) || size < 0)
      throw new Error('it is no tar archive, or a damaged one');
    const [prefix, name] = [text(header, 345, 155), text(header, 0, 100)];
    const path = prefix ? `${prefix}/${name}` : name;
    if (type === DIRECTORY) continue;
    if (!REGULAR.has(type) && passOver) {
      await bytes.skip(size + (-size & (BLOCK_BYTES - 1)));
      continue;
    }
    if (!REGULAR.has(type)) throw new Error(`"${path}" in the archive is neither a file nor a directory`);
    yield { path, size, content: bytes.some(size) };
    await bytes.skip(-size & (BLOCK_BYTES - 1));
  }
}

const isZero = (bytes: Buffer) => bytes.every((byte) => byte === 0);

/** Its checksum is over all of it, with blanks where the checksum is. */
function isHeader(header: Buffer): boolean {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  return sum === Number.parseInt(text(header, 148, 8), 8);
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.toString('utf8', at, at + length);
  const end = field.indexOf('\0');
  return (end < 0 ? field : field.slice(0, end)).trim();
}

/** Takes so many bytes at a time of what comes in chunks. Rejects where it ends too soon. */
class Bytes {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.some(count)) parts.push(part);
    return Buffer.concat(parts);
  }

  async *some(count: number): AsyncGenerator<Buffer, void> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) this.#rest = await this.#next();
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  async skip(count: number): Promise<void> {
    for await (const _ of this.some(count));
  }

  /** Rejects where anything but padding is left. */
  async end(): Promise<void> {
    for (let padding = 0; ; ) {
      padding += this.#rest.length;
      if (padding > MOST_PADDING_BYTES || !isZero(this.#rest)) throw new Error('something follows its end');
      const { done, value } = await this.#chunks.next();
      if (done) return;
      this.#rest = value;
    }
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#chunks.next();
    if (done) throw new Error('it breaks off: it is not whole');
    return value;
  }
}
