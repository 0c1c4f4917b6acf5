import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { ApiError, badRequest } from '../../resources/api-error.ts';
import { type Exchange, warningsOf } from '../exchange.ts';
import type { ResourceRequest } from '../request-info.ts';

/** The client's connection after its upgrade. */
export type Upgraded =
  | { readonly type: 'websocket'; readonly protocol: string; readonly socket: WebSocket }
  | { readonly type: 'spdy'; readonly protocol: string; readonly socket: Duplex };

/** A protocol that was agreed on; nothing is answered until `accept`. */
export interface Agreed {
  readonly type: Upgraded['type'];
  readonly protocol: string;
  accept(): Promise<Upgraded>;
}

/** Protocols that a handler speaks, by what carries them, the preferred first. */
export interface Spoken {
  readonly websocket: readonly string[];
  readonly spdy: readonly string[];
}

/** Longest message of a client: kubectl sends 32 KiB, others a little more. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
const SPDY = /^spdy\/3\.1$/i;
const WEBSOCKET = /^websocket$/i;

/** For `shouldUpgradeCallback`: whether the request asks for a protocol that some path speaks. */
export function wantsUpgrade({ headers }: IncomingMessage): boolean {
  const { upgrade = '' } = headers;
  return WEBSOCKET.test(upgrade) || SPDY.test(upgrade);
}

/** Throws 400 when the client asks for no upgrade, and 400 or 403 when it speaks nothing that is spoken here. */
export function agree({ request, response, upgrade }: Exchange, spoken: Spoken): Agreed {
  if (!upgrade) throw badRequest('Upgrade request required');
  const type = WEBSOCKET.test(request.headers.upgrade ?? '') ? 'websocket' : 'spdy';
  const header = type === 'websocket' ? 'sec-websocket-protocol' : 'x-stream-protocol-version';
  const offered = offers(request, header);
  const protocol = spoken[type].find((each) => offered.includes(each));
  if (protocol === undefined) {
    if (type === 'spdy') response.setHeader('X-Accepted-Stream-Protocol-Versions', [...spoken.spdy]);
    const message = `unable to negotiate a protocol: client offers [${offered.join(' ')}], spoken are [${spoken[type].join(' ')}]`;
    throw type === 'spdy' ? new ApiError(403, 'Forbidden', message) : badRequest(message);
  }
  const accept = () => {
    response.detachSocket(upgrade.socket);
    return type === 'websocket'
      ? acceptWebSocket(request, upgrade, protocol)
      : acceptSpdy(request, upgrade, protocol);
  };
  return { type, protocol, accept };
}

/** Throws what the cluster's policies refuse: they are asked before anything is joined. */
export function checkConnection(
  exchange: Exchange,
  { resource, namespace = '', name = '', subresource = '' }: ResourceRequest,
  kind: string,
  options: object,
): void {
  exchange.context.registry.checkConnection(resource, {
    subresource,
    options: { apiVersion: 'v1', kind, metadata: { name, namespace }, ...options },
    requester: exchange.user,
    warn: warningsOf(exchange),
  });
}

function offers(request: IncomingMessage, header: string): string[] {
  const text = [request.headers[header] ?? []].flat().join(',');
  return text.split(',').flatMap((each) => each.trim() || []);
}

/**
 * `ws` takes protocol names for HTTP tokens and refuses `SPDY/3.1+portforward.k8s.io`, so the choice is made here and
 * the header that tells it is written by us.
 */
function acceptWebSocket(
  request: IncomingMessage,
  { socket, head }: NonNullable<Exchange['upgrade']>,
  protocol: string,
): Promise<Upgraded> {
  delete request.headers['sec-websocket-protocol'];
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
  });
  server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${protocol}`));
  return new Promise((resolve) => {
    server.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => {}); // its end is told as well
      resolve({ type: 'websocket', protocol, socket: webSocket });
    });
  });
}

async function acceptSpdy(
  { headers }: IncomingMessage,
  { socket, head }: NonNullable<Exchange['upgrade']>,
  protocol: string,
): Promise<Upgraded> {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: SPDY/3.1'];
  if (headers['x-stream-protocol-version']) lines.push(`X-Stream-Protocol-Version: ${protocol}`);
  socket.unshift(head);
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return { type: 'spdy', protocol, socket };
}
