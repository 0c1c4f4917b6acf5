import type { OutputChunk } from './runtime.ts';

const HEADER_BYTES = 8;
const LENGTH_AT = 4;

/**
 * What a container wrote, of the engine's stream that frames stdout and stderr: 8 bytes of header, the first of them the
 * channel (1 or 2), the last four the length of what follows. Yields pieces as they come, so nothing is held but a header
 * that is cut in two, and who reads slowly slows the engine down.
 * https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
 */
export async function* framesOf(stream: AsyncIterable<unknown>): AsyncGenerator<OutputChunk> {
  let header = Buffer.alloc(0);
  let channel = 0;
  let left = 0; // of the payload that is being read
  for await (const chunk of stream) {
    let bytes = chunk as Buffer;
    while (bytes.length > 0) {
      if (left > 0) {
        const data = bytes.subarray(0, left);
        left -= data.length;
        bytes = bytes.subarray(data.length);
        yield { channel, data };
        continue;
      }
      const missing = HEADER_BYTES - header.length;
      header = Buffer.concat([header, bytes.subarray(0, missing)]);
      bytes = bytes.subarray(missing);
      if (header.length < HEADER_BYTES) continue;
      channel = header.readUInt8(0);
      left = header.readUInt32BE(LENGTH_AT);
      header = Buffer.alloc(0);
    }
  }
}

/** What is in frames that are there as a whole, or as far as they are. */
export function payloadIn(framed: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at + HEADER_BYTES <= framed.length; ) {
    const end = at + HEADER_BYTES + framed.readUInt32BE(at + LENGTH_AT);
    parts.push(framed.subarray(at + HEADER_BYTES, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** The same without the channels: stdout and stderr as one text. */
export async function* payloadsOf(stream: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const { data } of framesOf(stream)) yield data;
}
