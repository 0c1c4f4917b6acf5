/*
 * The frames of SPDY/3.1, as far as Kubernetes' clients use them.
 * https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/ (section 2.2)
 */

export type Frame =
  | { readonly type: 'data'; readonly streamId: number; readonly last: boolean; readonly data: Buffer }
  /** `headers` are compressed. */
  | {
      readonly type: 'syn-stream';
      readonly streamId: number;
      readonly headers: Buffer;
      readonly last: boolean;
    }
  | { readonly type: 'reset'; readonly streamId: number }
  | { readonly type: 'ping'; readonly payload: Buffer }
  | { readonly type: 'goaway' }
  /** What we may leave out of account: settings, window updates, late headers. */
  | { readonly type: 'other' };

const HEADER_BYTES = 8;
/** A peer that announces more is none of ours: clients send 32 KiB at most. */
const MAX_FRAME_BYTES = 1024 * 1024;
const CONTROL = 0x8000;
const VERSION = 3;
const FIN = 1;
const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RESET = 3;
const PING = 6;
const GOAWAY = 7;
/** Of a SYN_STREAM, before its headers: stream, associated stream, priority and slot. */
const SYN_STREAM_FIXED_BYTES = 10;
const PROTOCOL_ERROR = 1;

/** The frames of a connection. Throws on what is none. */
export async function* framesOf(bytes: AsyncIterable<unknown>): AsyncGenerator<Frame> {
  let waiting: Buffer = Buffer.alloc(0);
  for await (const chunk of bytes) {
    waiting = waiting.length === 0 ? (chunk as Buffer) : Buffer.concat([waiting, chunk as Buffer]);
    for (;;) {
      if (waiting.length < HEADER_BYTES) break;
      const end = HEADER_BYTES + waiting.readUIntBE(5, 3);
      if (end > MAX_FRAME_BYTES)
        throw new Error(`a SPDY frame of ${end} bytes is longer than any client sends`);
      if (waiting.length < end) break;
      yield decode(waiting.subarray(0, HEADER_BYTES), waiting.subarray(HEADER_BYTES, end));
      waiting = waiting.subarray(end);
    }
  }
}

function decode(header: Buffer, payload: Buffer): Frame {
  const last = (header.readUInt8(4) & FIN) !== 0;
  if ((header.readUInt16BE(0) & CONTROL) === 0)
    return { type: 'data', streamId: header.readUInt32BE(0), last, data: payload };
  switch (header.readUInt16BE(2)) {
    case SYN_STREAM: {
      const streamId = streamIdOf(payload);
      return { type: 'syn-stream', streamId, headers: payload.subarray(SYN_STREAM_FIXED_BYTES), last };
    }
    case RESET:
      return { type: 'reset', streamId: streamIdOf(payload) };
    case PING:
      return { type: 'ping', payload };
    case GOAWAY:
      return { type: 'goaway' };
    default:
      return { type: 'other' };
  }
}

function streamIdOf(payload: Buffer): number {
  if (payload.length < 4) throw new Error('a SPDY frame names no stream');
  return payload.readUInt32BE(0) & 0x7fffffff;
}

export function dataFrame(streamId: number, data: Uint8Array, last: boolean): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(streamId, 0);
  header.writeUInt8(last ? FIN : 0, 4);
  header.writeUIntBE(data.length, 5, 3);
  return Buffer.concat([header, data]);
}

/** `headers` must be compressed. */
export function synReplyFrame(streamId: number, headers: Buffer): Buffer {
  return controlFrame(SYN_REPLY, Buffer.concat([uint32(streamId), headers]));
}

export function resetFrame(streamId: number): Buffer {
  return controlFrame(RESET, Buffer.concat([uint32(streamId), uint32(PROTOCOL_ERROR)]));
}

export function pingFrame(payload: Buffer): Buffer {
  return controlFrame(PING, payload);
}

function controlFrame(type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(CONTROL | VERSION, 0);
  header.writeUInt16BE(type, 2);
  header.writeUIntBE(payload.length, 5, 3);
  return Buffer.concat([header, payload]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
