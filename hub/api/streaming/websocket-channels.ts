import { on } from 'node:events';
import type { WebSocket } from 'ws';
import type { Chunk } from '../pod-streams.ts';
import type { ClientChannels } from './client-channels.ts';

/** The first is preferred. `v5` adds that the client can close a channel; the older ones differ in their Status only. */
export const CHANNEL_PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];

const STATUS = 3;
const CLOSE = 255;
const NOTHING = new Uint8Array();
const NORMAL_CLOSURE = 1000;
/** Messages that may wait to be taken before the connection is read no further. */
const WATERMARKS = { highWaterMark: 16, lowWaterMark: 4 };

/** `vN.channel.k8s.io`: binary messages whose first byte is the channel. */
export class WebSocketChannels implements ClientChannels {
  readonly #socket: WebSocket;
  readonly incoming: AsyncIterable<Chunk>;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.incoming = messagesOf(socket);
  }

  async send({ channel, data, last }: Chunk): Promise<void> {
    // A channel that ends is not told: the Status says that all have.
    if (last && data.length === 0) return;
    await sendMessage(this.#socket, Buffer.concat([Buffer.of(channel), data]));
  }

  async finish(status: object): Promise<void> {
    await this.send({ channel: STATUS, data: Buffer.from(JSON.stringify(status)), last: false });
    this.#socket.close(NORMAL_CLOSURE);
  }
}

/** Resolves when it is on its way, or the client is gone. */
export function sendMessage(socket: WebSocket, message: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) resolve();
    else socket.send(message, () => resolve());
  });
}

/** One after the other: what is not yet asked for waits, but for a few, in the client's own buffers. */
function messagesOf(socket: WebSocket): AsyncIterable<Chunk> {
  const messages = on(socket, 'message', { close: ['close'], ...WATERMARKS });
  return decoded(messages as AsyncIterable<[Buffer]>);
}

async function* decoded(messages: AsyncIterable<[Buffer]>): AsyncGenerator<Chunk> {
  for await (const [message] of messages) {
    const data = message.subarray(1);
    if (message[0] === CLOSE) yield { channel: data[0] ?? 0, data: NOTHING, last: true };
    else if (message.length > 0) yield { channel: message[0] ?? 0, data, last: false };
  }
}
