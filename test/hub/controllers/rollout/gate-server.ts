import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { CertificateAuthority } from '../../../../hub/security/certificate-authority.ts';

export interface SeenRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Respond = (request: SeenRequest, response: ServerResponse) => void;

/** A server that gates can ask: real sockets, and real TLS unless it is to be plain. */
export class GateServer {
  readonly url: string;
  /** PEM; empty for a plain server. */
  readonly ca: string;
  readonly seen: SeenRequest[] = [];
  respond: Respond;

  private constructor(url: string, ca: string, respond: Respond) {
    this.url = url;
    this.ca = ca;
    this.respond = respond;
  }

  static async start(
    t: { teardown(end: () => unknown): void },
    respond: Respond,
    { plain = false, host = '127.0.0.1' } = {},
  ): Promise<GateServer> {
    const authority = await CertificateAuthority.load(await CertificateAuthority.create('gates'));
    const { certificate: cert, key } = await authority.issueServer([host], 1);
    const server = plain ? createHttpServer() : createHttpsServer({ cert, key });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      server.close();
      server.closeAllConnections();
    });
    const { port } = server.address() as AddressInfo;
    const url = `${plain ? 'http' : 'https'}://127.0.0.1:${port}`;
    const made = new GateServer(url, plain ? '' : authority.certificate, respond);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void text(request).then((body) => {
        const seen = {
          method: request.method ?? '',
          url: new URL(request.url ?? '', url),
          headers: request.headers,
          body,
        };
        made.seen.push(seen);
        made.respond(seen, response);
      });
    });
    return made;
  }
}

export function json(value: unknown, status = 200): Respond {
  return (_, response) => {
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(value));
  };
}

/** What a Prometheus server answers. */
export function vector(...samples: readonly (readonly [Record<string, string>, string])[]): Respond {
  const result = samples.map(([metric, value]) => ({ metric, value: [1_700_000_000.1, value] }));
  return json({ status: 'success', data: { resultType: 'vector', result } });
}
