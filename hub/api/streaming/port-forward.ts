import { createWebSocketStream, type WebSocket } from 'ws';
import { ApiError, badRequest } from '../../resources/api-error.ts';
import type { PodObject } from '../../resources/typed.ts';
import type { Exchange } from '../exchange.ts';
import type { PodStream } from '../pod-streams.ts';
import { existing } from '../read.ts';
import type { ResourceRequest } from '../request-info.ts';
import { SpdyConnection } from './spdy-connection.ts';
import { SpdyForwarding } from './spdy-forwarding.ts';
import { agree, checkConnection } from './upgrade.ts';
import { CHANNEL_PROTOCOLS, sendMessage, WebSocketChannels } from './websocket-channels.ts';

const SPDY_PROTOCOL = 'portforward.k8s.io';
const TUNNEL_PROTOCOL = 'SPDY/3.1+portforward.k8s.io';
const SPOKEN = { websocket: [TUNNEL_PROTOCOL, ...CHANNEL_PROTOCOLS], spdy: [SPDY_PROTOCOL] };
const MAX_PORT = 65_535;

/** Opens one connection to a port of the pod. Throws an ApiError. */
export type Dial = (port: number) => Promise<PodStream>;

/** `pods/x/portforward`: connections to ports of a pod. */
export async function portForward(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const pod = existing(exchange, target) as PodObject;
  if (!pod.spec.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  if (pod.status?.phase !== 'Running')
    throw badRequest(
      `unable to forward port because pod is not running. Current status=${pod.status?.phase}`,
    );
  const { searchParams } = exchange.url;
  const ports = searchParams.has('ports') ? portsOf(searchParams) : undefined;
  checkConnection(exchange, target, 'PodPortForwardOptions', { ...(ports && { ports }) });
  const agreed = agree(exchange, SPOKEN);
  exchange.context.streams.checkConnected(pod);
  const dial: Dial = (port) => exchange.context.streams.connect({ pod, port });
  if (agreed.protocol !== TUNNEL_PROTOCOL && agreed.type === 'websocket') {
    if (!ports) throw badRequest('query parameter "ports" is required');
    const upgraded = await agreed.accept();
    await forwardChannels(upgraded.socket as WebSocket, ports, dial);
    return;
  }
  const upgraded = await agreed.accept();
  const connection = upgraded.type === 'spdy' ? upgraded.socket : createWebSocketStream(upgraded.socket);
  await new SpdyConnection(connection, new SpdyForwarding(dial)).run().catch(() => {}); // it is ended
}

/** `?ports=80,443` or `?ports=80&ports=443`. */
function portsOf(query: URLSearchParams): number[] {
  const ports = query
    .getAll('ports')
    .flatMap((each) => each.split(','))
    .filter(Boolean)
    .map(Number);
  if (ports.length === 0) throw badRequest('query parameter "ports" is required');
  const wrong = ports.find((port) => !Number.isInteger(port) || port < 1 || port > MAX_PORT);
  if (wrong !== undefined) throw badRequest(`unable to parse "ports": must be from 1 to ${MAX_PORT}`);
  return ports;
}

/** Channels 2i and 2i+1 are data and errors of the i-th port; on both, the server first says the port. */
async function forwardChannels(socket: WebSocket, ports: readonly number[], dial: Dial): Promise<void> {
  const client = new WebSocketChannels(socket);
  const tell = (channel: number, data: Uint8Array) =>
    sendMessage(socket, Buffer.concat([Buffer.of(channel), data]));
  for (const [index, port] of ports.entries()) {
    const number = Buffer.alloc(2);
    number.writeUInt16LE(port);
    await tell(2 * index, number);
    await tell(2 * index + 1, number);
  }
  const dialled = ports.map(dial);
  const copy = async (opening: Promise<PodStream>, index: number) => {
    try {
      for await (const { data } of (await opening).output) if (data.length > 0) await tell(2 * index, data);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await tell(2 * index + 1, Buffer.from(error.message));
    }
  };
  const copied = Promise.all(dialled.map(copy)).finally(() => socket.close());
  const opened = dialled.map((opening) => opening.catch(() => undefined)); // the copy has told it
  for await (const { channel, data, last } of client.incoming)
    await (await opened[Math.floor(channel / 2)])?.write({ channel: 0, data, last });
  for (const opening of opened) (await opening)?.close();
  await copied;
}
