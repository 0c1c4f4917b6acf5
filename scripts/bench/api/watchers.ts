import { connect, type TLSSocket } from 'node:tls';
import type { Credentials } from '../credentials.ts';

const PATH = '/api/v1/namespaces/default/pods?watch=true&labelSelector=app%3Dbench&resourceVersion=';

/** Many watches that only look for a name in what they are sent. */
export class Watchers {
  readonly #sockets: TLSSocket[];
  #wanted = '';
  #missing = 0;
  #done: (atMs: number) => void = () => {};

  private constructor(sockets: TLSSocket[]) {
    this.#sockets = sockets;
    for (const socket of sockets) socket.on('data', (data) => this.#read(data));
  }

  static async open(credentials: Credentials, count: number): Promise<Watchers> {
    const sockets: TLSSocket[] = [];
    // In portions: a thousand TLS handshakes at once would only wait for each other.
    while (sockets.length < count) {
      const portion = Math.min(50, count - sockets.length);
      sockets.push(...(await Promise.all(Array.from({ length: portion }, () => openWatch(credentials)))));
    }
    return new Watchers(sockets);
  }

  /** Resolves with the time when the last of them has been sent this name. */
  all(name: string): Promise<number> {
    this.#wanted = `"name":"${name}"`;
    this.#missing = this.#sockets.length;
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #read(data: Buffer): void {
    if (!data.includes(this.#wanted)) return;
    this.#missing -= 1;
    if (this.#missing === 0) this.#done(performance.now());
  }
}

/** Resolves when the head of the answer is there. */
function openWatch({ host, port, ca, certificate: cert, key }: Credentials): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ca, cert, key, ALPNProtocols: ['http/1.1'] }, () => {
      socket.write(`GET ${PATH} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    });
    socket.once('data', () => resolve(socket));
    socket.once('error', reject);
  });
}
