import { badRequest } from '../resources/api-error.ts';

/** Wire types of protobuf that occur; groups are not among them. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const FIXED32 = 5;

const MAX_FIELD_NUMBER = 2 ** 29 - 1;
const TWO_TO_THE_32 = 2 ** 32;
const MAX_VARINT_BYTES = 10;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface Tag {
  readonly field: number;
  readonly wireType: number;
}

/** Reads the parts of one protobuf message, front to back. Whatever is not well-formed throws 400. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  tag(): Tag {
    const value = this.int();
    const [field, wireType] = [Math.floor(value / 8), value & 7];
    if (field < 1 || field > MAX_FIELD_NUMBER) throw malformed(`illegal tag ${field}`);
    return { field, wireType };
  }

  /** A varint as the signed 64-bit integer that it is; exact to 2^53. */
  int(): number {
    let [low, high] = [0, 0];
    for (let count = 0; count < MAX_VARINT_BYTES; count++) {
      const byte = this.#byte();
      const bits = byte & 127;
      // Seven bits at a time; the fifth seven belong to both halves.
      if (count < 4) low |= bits << (7 * count);
      else if (count === 4) [low, high] = [low | (bits << 28), bits >>> 4];
      else high |= bits << (7 * count - 32);
      if (byte < 128) return (high | 0) * TWO_TO_THE_32 + (low >>> 0);
    }
    throw malformed('integer overflow');
  }

  double(): number {
    const at = this.#advance(8);
    return this.#view.getFloat64(at, true);
  }

  /** Length and content; the content is shared with the message, not copied. */
  bytes(): Uint8Array {
    const length = this.int();
    if (length < 0) throw malformed('negative length found during unmarshaling');
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Steps over a field that nobody knows. */
  skip({ wireType }: Tag): void {
    if (wireType === VARINT) this.int();
    else if (wireType === FIXED64) this.#advance(8);
    else if (wireType === BYTES) this.bytes();
    else if (wireType === FIXED32) this.#advance(4);
    else throw malformed(`illegal wireType ${wireType}`);
  }

  #byte(): number {
    return this.#bytes[this.#advance(1)] ?? 0;
  }

  /** The place of the next `length` bytes, which are there. */
  #advance(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw malformed('unexpected EOF');
    this.#at += length;
    return at;
  }
}

/** Text of a message; throws 400 for what is not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw malformed('a string is not valid UTF-8');
  }
}

export function malformed(why: string): Error {
  return badRequest(`couldn't decode the body as protobuf: ${why}`);
}
