import { connect, type TLSSocket } from 'node:tls';
import type { Credentials } from '../credentials.ts';

const MAX_BEGIN = 512;
const END_OF_HEAD = Buffer.from('\r\n\r\n');

export interface Answer {
  readonly status: number;
  readonly bytes: number;
  /** The first bytes of the body. */
  readonly begin: string;
}

/**
 * One keep-alive connection that does as little as can be done: what loads the hub must not take the processor from it.
 * One request at a time; bodies are counted, and kept only when asked for.
 */
export class Connection {
  readonly #socket: TLSSocket;
  readonly #host: string;
  #waiting: ((answer: Answer) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;
  #head: Buffer = Buffer.alloc(0);
  #status = 0;
  #left = 0; // bytes of the body, when its length is known
  #bytes = 0;
  #isChunked = false;
  #inBody = false;
  #begin = '';
  #tail = ''; // the end of a chunked body, to find its last chunk

  private constructor(socket: TLSSocket, host: string) {
    this.#socket = socket;
    this.#host = host;
    socket.on('data', (data) => this.#read(data));
    socket.on('error', (error) => this.#fail?.(error));
    socket.on('close', () => this.#fail?.(new Error('the hub closed the connection')));
  }

  static open({ host, port, ca, certificate: cert, key }: Credentials): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, ca, cert, key, ALPNProtocols: ['http/1.1'] }, () => {
        socket.setNoDelay();
        resolve(new Connection(socket, `${host}:${port}`));
      });
      socket.once('error', reject);
    });
  }

  request(method: string, path: string, body?: string, accept = 'application/json'): Promise<Answer> {
    const content =
      body === undefined
        ? ''
        : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    const head = `${method} ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nUser-Agent: bench/1\r\nAccept: ${accept}\r\n${content}\r\n`;
    return new Promise((resolve, reject) => {
      this.#waiting = resolve;
      this.#fail = reject;
      this.#socket.write(head + (body ?? ''));
    });
  }

  close(): void {
    this.#fail = undefined;
    this.#socket.destroy();
  }

  #read(data: Buffer): void {
    if (!this.#inBody) {
      this.#head = this.#head.length === 0 ? data : Buffer.concat([this.#head, data]);
      const end = this.#head.indexOf(END_OF_HEAD);
      if (end < 0) return;
      const head = this.#head.toString('latin1', 0, end);
      const rest = this.#head.subarray(end + END_OF_HEAD.length);
      this.#head = Buffer.alloc(0);
      this.#status = Number(head.slice(9, 12));
      const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
      this.#isChunked = length === undefined;
      this.#left = Number(length ?? 0);
      this.#bytes = 0;
      this.#begin = rest.toString('latin1', 0, MAX_BEGIN);
      this.#tail = '';
      this.#inBody = true;
      this.#body(rest);
    } else {
      this.#body(data);
    }
  }

  #body(data: Buffer): void {
    this.#bytes += data.length;
    if (this.#isChunked) {
      this.#tail = (this.#tail + data.toString('latin1', Math.max(0, data.length - 7))).slice(-7);
      if (!this.#tail.endsWith('\r\n0\r\n\r\n')) return;
    } else {
      this.#left -= data.length;
      if (this.#left > 0) return;
    }
    this.#inBody = false;
    this.#fail = undefined;
    this.#waiting?.({ status: this.#status, bytes: this.#bytes, begin: this.#begin });
  }
}
