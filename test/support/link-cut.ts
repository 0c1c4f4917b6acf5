import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A wire that can be cut: listens on one address and passes everything on to the same port of another. Cut, it drops
 * what is connected and refuses what comes.
 */
export class Wire {
  readonly #port: number;
  readonly #from: string;
  readonly #to: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(from: string, to: string, port: number) {
    this.#from = from;
    this.#to = to;
    this.#port = port;
  }

  async join(): Promise<void> {
    if (this.#server) return;
    const server = createServer((inside) => {
      const outside = connect(this.#port, this.#to);
      for (const [one, other] of [
        [inside, outside],
        [outside, inside],
      ] as const) {
        this.#sockets.add(one);
        one.setNoDelay();
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, this.#from, resolve);
    });
  }

  async cut(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
