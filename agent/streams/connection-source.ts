import { connect, type Socket } from 'node:net';
import { writeAll } from '../runtime/write-all.ts';
import { type Chunk, StreamError, type StreamSource } from './source.ts';

const CONNECT_TIMEOUT_MS = 10_000;

/** A TCP connection to a port of a pod, as a stream of one channel. Throws StreamError when nothing listens there. */
export async function connectionSource(
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<StreamSource> {
  const socket = await connected(host, port, signal);
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  return {
    output: outputOf(socket),
    input: async ({ data, last }) => {
      if (data.length > 0) await writeAll(socket, data);
      if (last) socket.end();
    },
  };
}

function connected(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, signal, timeout: CONNECT_TIMEOUT_MS });
    const fail = (why: string) => {
      socket.destroy();
      reject(new StreamError(502, `failed to connect to ${host}:${port} inside the pod: ${why}`));
    };
    socket.once('timeout', () => fail('it does not answer'));
    socket.once('error', (error) => fail(error.message));
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.removeAllListeners('error');
      socket.on('error', () => {}); // read and write tell it to who waits for them
      resolve(socket);
    });
  });
}

async function* outputOf(socket: Socket): AsyncGenerator<Chunk> {
  for await (const data of socket) yield { channel: 0, data: data as Uint8Array, last: false };
  yield { channel: 0, data: new Uint8Array(), last: true };
}
