import { gzip } from 'node:zlib';
import { parseAccept } from './negotiate.ts';

/** From here on compressing costs less than sending; Kubernetes' own limit and level. */
export const COMPRESS_OVER_BYTES = 128 * 1024;
const LEVEL = 1;

/** Whether a client that sent this `Accept-Encoding` reads gzip. */
export function acceptsGzip(header: string | undefined): boolean {
  return parseAccept(header ?? 'identity').some(
    ({ type, parameters }) => type === 'gzip' && Number(parameters.get('q') ?? 1) > 0,
  );
}

/** Compresses aside from the event loop, on which everybody else waits. */
export function compress(content: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gzip(content, { level: LEVEL }, (error, packed) => (error ? reject(error) : resolve(packed)));
  });
}
