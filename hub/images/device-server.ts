import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';

export interface DeviceServerOptions {
  /** The name of the device whose certificate this is, while it may speak; undefined for all others. */
  readonly nodeOf: (certificate: Uint8Array) => string | undefined;
  readonly answer: (node: string, request: IncomingMessage, response: ServerResponse) => Promise<void>;
  readonly log: Logger;
}

const HEADERS_TIMEOUT_MS = 15_000;
const MOST_REQUESTS_OF_A_CONNECTION = 10_000;

/** HTTP for devices only, on connections that another server has accepted: the port of the link is the one that is open. */
export class DeviceServer {
  readonly #server: Server;
  readonly #options: DeviceServerOptions;

  constructor(options: DeviceServerOptions) {
    this.#options = options;
    this.#server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS }, (request, response) => {
      void this.#handle(request, response);
    });
    this.#server.maxRequestsPerSocket = MOST_REQUESTS_OF_A_CONNECTION;
  }

  accept(socket: TLSSocket): void {
    this.#server.emit('connection', socket);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket = request.socket as TLSSocket;
    const certificate = socket.authorized ? socket.getPeerCertificate().raw : undefined;
    const node = certificate && this.#options.nodeOf(certificate);
    if (node === undefined) {
      response.writeHead(403, { 'Content-Type': 'text/plain' }).end('this is for devices of this hub\n');
      return;
    }
    try {
      await this.#options.answer(node, request, response);
    } catch (error) {
      this.#options.log.error({ err: error as Error, url: request.url }, 'a request of a device failed');
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    }
  }
}
