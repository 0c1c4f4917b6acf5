import { createHash } from 'node:crypto';
import { createConnection, createServer, type Server } from 'node:net';

/** Alone with each of the files. */
export function aloneWithAll<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
  const [first, ...others] = paths.toSorted(); // in one order, so that no two wait for each other
  return first === undefined ? work() : alone(first, () => aloneWithAll(others, work));
}

/**
 * One process at a time works on a file: two images that are pulled at once may have a layer in common. The lock is a socket that
 * is nowhere on a disk: it ends with who holds it, in whatever way that ends, and who waits is told by its end.
 */
export async function alone<T>(path: string, work: () => Promise<T>): Promise<T> {
  const name = `\0holdfast-${createHash('sha256').update(path).digest('hex')}`;
  const held = await lock(name);
  try {
    return await work();
  } finally {
    held.server.close();
    for (const socket of held.waiting) socket.destroy();
  }
}

interface Held {
  readonly server: Server;
  readonly waiting: Set<{ destroy: () => unknown }>;
}

async function lock(name: string): Promise<Held> {
  for (;;) {
    const held = await tryLock(name);
    if (held) return held;
    await new Promise<void>((resolve) => {
      const waiting = createConnection(name);
      waiting.on('error', () => undefined).on('data', () => undefined);
      waiting.once('close', () => resolve());
    });
  }
}

function tryLock(name: string): Promise<Held | undefined> {
  return new Promise((resolve, reject) => {
    const waiting: Held['waiting'] = new Set();
    const server = createServer((socket) => {
      waiting.add(socket);
      socket.on('error', () => undefined);
    });
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    );
    server.listen(name, () => resolve({ server, waiting }));
  });
}
