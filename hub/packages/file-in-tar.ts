const BLOCK_BYTES = 512;

/**
 * The content of a file in a tar archive, which is read no further; undefined when it is not there. Rejects when the
 * archive breaks off, or the file is larger than `mostBytes`.
 */
export async function fileInTar(
  archive: AsyncIterable<Buffer>,
  path: string,
  mostBytes: number,
): Promise<Buffer | undefined> {
  const bytes = new ByteReader(archive);
  for (;;) {
    const header = await bytes.take(BLOCK_BYTES);
    if (header.every((byte) => byte === 0)) return undefined;
    const size = Number.parseInt(textAt(header, 124, 12), 8);
    if (!Number.isSafeInteger(size) || size < 0) throw new Error('the archive is malformed');
    if (textAt(header, 0, 100) !== path) {
      await bytes.skip(Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES);
      continue;
    }
    if (size > mostBytes) throw new Error(`"${path}" in the archive must have at most ${mostBytes} bytes`);
    return bytes.take(size);
  }
}

function textAt(block: Buffer, at: number, length: number): string {
  const [text = ''] = block.toString('utf8', at, at + length).split('\0');
  return text;
}

/** Takes so many bytes at a time of what comes in chunks. Rejects where it ends too soon. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(count: number): Promise<Buffer> {
    while (this.#rest.length < count) this.#rest = Buffer.concat([this.#rest, await this.#next()]);
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  async skip(count: number): Promise<void> {
    let left = count;
    while (left > this.#rest.length) {
      left -= this.#rest.length;
      this.#rest = await this.#next();
    }
    this.#rest = this.#rest.subarray(left);
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#chunks.next();
    if (done) throw new Error('the archive breaks off');
    return value;
  }
}
