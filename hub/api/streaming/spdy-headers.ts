import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { SPDY_DICTIONARY } from './spdy-dictionary.ts';

/** More headers than any client sends: what a compressed block may become at most. */
const MAX_BLOCK_BYTES = 64 * 1024;
const NO_HEADERS = Buffer.alloc(4); // their number

/**
 * Header blocks of one SPDY connection. Each direction is one zlib stream over all of its blocks, so blocks must be
 * handed in one after the other, in the order of their frames.
 */
export class HeaderBlocks {
  readonly #inflate: Inflate = createInflate({
    dictionary: SPDY_DICTIONARY,
    flush: constants.Z_SYNC_FLUSH,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
  readonly #deflate: Deflate = createDeflate({ dictionary: SPDY_DICTIONARY, flush: constants.Z_SYNC_FLUSH });

  /** Throws on what is no header block. */
  async decode(block: Buffer): Promise<Map<string, string>> {
    return parse(await through(this.#inflate, block));
  }

  /** A block without headers: all that clients expect of a reply. */
  encodeNone(): Promise<Buffer> {
    return through(this.#deflate, NO_HEADERS);
  }

  close(): void {
    this.#inflate.close();
    this.#deflate.close();
  }
}

function through(stream: Inflate | Deflate, input: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    const take = (part: Buffer) => {
      parts.push(part);
      bytes += part.length;
      if (bytes > MAX_BLOCK_BYTES)
        fail(new Error(`a SPDY header block is longer than ${MAX_BLOCK_BYTES} bytes`));
    };
    const done = () => {
      stream.off('data', take);
      stream.off('error', fail);
    };
    const fail = (error: Error) => {
      done();
      stream.on('error', () => {}); // it cannot go on after one
      reject(error);
    };
    stream.on('data', take);
    stream.once('error', fail);
    stream.write(input, () =>
      stream.flush(constants.Z_SYNC_FLUSH, () => {
        done();
        resolve(Buffer.concat(parts));
      }),
    );
  });
}

/** A count, then name and value of each, all with their length before them, in 4 bytes. */
function parse(block: Buffer): Map<string, string> {
  let at = 0;
  const number = () => {
    if (at + 4 > block.length) throw new Error('a SPDY header block is cut off');
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = () => {
    const length = number();
    if (at + length > block.length) throw new Error('a SPDY header block is cut off');
    at += length;
    return block.toString('latin1', at - length, at);
  };
  const headers = new Map<string, string>();
  for (let left = number(); left > 0; left -= 1) headers.set(text().toLowerCase(), text());
  return headers;
}
