import type { Writable } from 'node:stream';

/** Resolves once the bytes are on their way, so that who writes goes no faster than who reads. */
export function writeAll(stream: Writable, data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}
