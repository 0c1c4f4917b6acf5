import { open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { byteRange } from './byte-range.ts';

/** Who takes nothing for as long as this is cut off: they can ask for the rest. */
const STALLED_MS = 60_000;

/** A content that never changes under this tag. */
export interface TaggedFile {
  readonly path: string;
  readonly tag: string;
  readonly bytes: number;
}

/**
 * Sends a file, or the part of it that is asked for, without ever holding more than a piece. Rejects, before anything was
 * sent, when it is not as it should be.
 */
export async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  { path, tag, bytes }: TaggedFile,
): Promise<void> {
  const { headers } = request;
  const etag = `"${tag}"`;
  // Another content may come under the same name: whoever keeps it asks whether it is still the same.
  response.setHeader('ETag', etag).setHeader('Accept-Ranges', 'bytes').setHeader('Cache-Control', 'no-cache');
  if (headers['if-none-match'] === etag) {
    response.writeHead(304).end();
    return;
  }
  const isSame = headers['if-range'] === undefined || headers['if-range'] === etag;
  const range = isSame ? byteRange(headers.range, bytes) : undefined;
  if (range === 'unsatisfiable') {
    response.writeHead(416, { 'Content-Range': `bytes */${bytes}` }).end();
    return;
  }
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size !== bytes) throw new Error(`"${path}" must have ${bytes} bytes, has ${size}`);
    const { first, last } = range ?? { first: 0, last: bytes - 1 };
    response.writeHead(range ? 206 : 200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': last - first + 1,
      ...(range && { 'Content-Range': `bytes ${first}-${last}/${bytes}` }),
    });
    if (request.method === 'HEAD') response.end();
    else await streamed(response, file.createReadStream({ start: first, end: last, autoClose: false }));
  } finally {
    await file.close();
  }
}

/** Resolves also when the client has gone: it knows. */
async function streamed(response: ServerResponse, content: NodeJS.ReadableStream): Promise<void> {
  response.setTimeout(STALLED_MS, () => response.destroy());
  await pipeline(content, response).catch(() => response.destroy());
  response.setTimeout(0);
}
