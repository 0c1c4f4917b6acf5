import { createReadStream, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import type { Logger } from 'pino';
import type { Identity } from '../state/agent-state.ts';
import type { BlobCache } from './blob-cache.ts';
import { nodeOfPeer } from './peer-identity.ts';

/** A device has its own work: whoever comes when this many are served asks elsewhere. */
const MOST_AT_ONCE = 4;
const STALLED_MS = 60_000;

export interface PeerServerOptions {
  readonly identity: Identity;
  readonly cache: BlobCache;
  readonly port: number;
  readonly now: () => number;
  readonly log: Logger;
}

/** Gives layers to devices of the same hub, and nothing else to nobody else. Resolves with the port, and what ends it. */
export async function servePeers(options: PeerServerOptions): Promise<{ port: number; close: () => void }> {
  const { identity, port } = options;
  let serving = 0;
  const { key, certificate: cert, caCertificate: ca } = identity;
  const server = createServer(
    { key, cert, ca, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' },
    (request, response) => {
      if (serving >= MOST_AT_ONCE) {
        response.writeHead(503, { 'Retry-After': '10' }).end();
        return;
      }
      serving++;
      void answer(options, request, response).finally(() => {
        serving--;
      });
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Error(`port ${port} for devices of the site can not be opened: ${error.message}`)),
    );
    server.listen(port, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(
  { identity, cache, now, log }: PeerServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { raw } = (request.socket as TLSSocket).getPeerCertificate();
  const peer = raw && nodeOfPeer(raw, identity.caCertificate, now());
  if (!peer) {
    response.writeHead(403).end();
    return;
  }
  const [, digest = ''] = /^\/blobs\/(sha256:[0-9a-f]{64})$/.exec(request.url ?? '') ?? [];
  const path = request.method === 'GET' ? cache.path(digest) : undefined;
  if (!path) {
    response.writeHead(404).end();
    return;
  }
  const { size } = statSync(path);
  const [, from = ''] = /^bytes=(\d{1,15})-$/.exec(request.headers.range ?? '') ?? [];
  const first = Math.min(Number(from), size);
  response.writeHead(from ? 206 : 200, { 'Content-Length': size - first });
  response.setTimeout(STALLED_MS, () => response.destroy());
  log.debug({ peer, digest }, 'a layer is given to a device of the site');
  await cache.used(digest);
  await pipeline(createReadStream(path, { start: first }), response).catch(() => response.destroy());
}
