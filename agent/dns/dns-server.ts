import { createSocket, type Socket } from 'node:dgram';
import { type AddressInfo, type Socket as Connection, createServer, type Server } from 'node:net';
import * as codec from 'dns-packet';
import type { Logger } from 'pino';
import { type Answer, answer, type DnsRecord, type Zone } from './answer.ts';

const PORT = 53;
/** How long programs may keep what they were told, in seconds: pods come and go. */
const TTL_SECONDS = 5;
/** What a UDP answer may have for one who does not say that it takes more (RFC 1035, 4.2.1), and at most: an Ethernet frame. */
const UDP_BYTES = { least: 512, most: 1232 };
const MAX_QUERY_BYTES = 1024;
const MAX_CONNECTIONS = 32;
const IDLE_CONNECTION_MS = 5_000;

const RESULT_CODES = { found: 0, 'no-such-name': 3, refused: 5 } as const;

export interface DnsServerOptions {
  readonly address: string;
  /** 53 for both but in tests; 0 for any. */
  readonly port?: number;
  readonly tcpPort?: number;
  readonly zone: Zone;
  readonly log: Logger;
}

/** Answers questions about Services on one address of this device, over UDP and TCP. */
export class DnsServer {
  readonly #zone: Zone;
  readonly #udp: Socket;
  readonly #tcp: Server;

  private constructor({ zone, log }: DnsServerOptions) {
    this.#zone = zone;
    this.#udp = createSocket('udp4', (query, from) => {
      const reply = this.#reply(query, 'udp');
      // One who has gone away meanwhile is no concern of ours.
      if (reply) this.#udp.send(reply, from.port, from.address, () => {});
    });
    this.#tcp = createServer((connection) => this.#serve(connection));
    this.#tcp.maxConnections = MAX_CONNECTIONS;
    for (const socket of [this.#udp, this.#tcp])
      socket.on('error', (error) => log.error({ err: error }, 'the DNS server of this device failed'));
  }

  /** Rejects when the address cannot be had, such as with EADDRINUSE. */
  static async listen(options: DnsServerOptions): Promise<DnsServer> {
    const { address, port = PORT, tcpPort = port } = options;
    const server = new DnsServer(options);
    try {
      await listening(server.#udp, () => server.#udp.bind(port, address));
      await listening(server.#tcp, () => server.#tcp.listen(tcpPort, address));
    } catch (error) {
      server.close();
      throw error;
    }
    return server;
  }

  /** Where it listens, for one who left that to the system. */
  get ports(): { readonly udp: number; readonly tcp: number } {
    return { udp: this.#udp.address().port, tcp: (this.#tcp.address() as AddressInfo).port };
  }

  close(): void {
    try {
      this.#udp.close();
    } catch {
      // it never listened
    }
    this.#tcp.close();
  }

  /** Questions one after another, each behind its length in two bytes (RFC 1035, 4.2.2). */
  #serve(connection: Connection): void {
    let waiting = Buffer.alloc(0);
    connection.setTimeout(IDLE_CONNECTION_MS, () => connection.destroy());
    connection.on('error', () => connection.destroy());
    connection.on('data', (chunk) => {
      waiting = Buffer.concat([waiting, chunk]);
      while (waiting.length >= 2 && waiting.length >= 2 + waiting.readUInt16BE()) {
        const end = 2 + waiting.readUInt16BE();
        const reply = this.#reply(waiting.subarray(2, end), 'tcp');
        waiting = waiting.subarray(end);
        if (!reply) {
          connection.destroy();
          return;
        }
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        connection.write(Buffer.concat([length, reply]));
      }
      if (waiting.length > MAX_QUERY_BYTES) connection.destroy();
    });
  }

  /** Undefined for what is no question. */
  #reply(query: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined {
    const packet = query.length <= MAX_QUERY_BYTES ? decoded(query) : undefined;
    const [question] = packet?.questions ?? [];
    if (packet?.type !== 'query' || packet.questions?.length !== 1 || !question) return undefined;
    const found = answer(question.name, question.type, this.#zone);
    const records = inTurn(found.records);
    const whole = encoded(packet, question, found, records);
    const room = transport === 'tcp' ? Number.POSITIVE_INFINITY : roomOf(packet);
    if (whole.length <= room) return whole;
    // Some are better than none for programs that do not come again over TCP.
    const bare = encoded(packet, question, found, []).length;
    const fitting = Math.floor((room - bare) / ((whole.length - bare) / records.length));
    return encoded(packet, question, found, records.slice(0, fitting), codec.TRUNCATED_RESPONSE);
  }
}

async function listening(socket: Socket | Server, start: () => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once('listening', resolve);
  socket.once('error', reject);
  start();
  await promise;
  socket.off('error', reject);
}

function decoded(query: Buffer): codec.DecodedPacket | undefined {
  try {
    return codec.decode(query);
  } catch {
    return undefined;
  }
}

/** How long an answer over UDP may be: what the question's EDNS record says (RFC 6891), within reason. */
function roomOf({ additionals = [] }: codec.Packet): number {
  const [extended] = additionals.filter(({ type }) => type === 'OPT') as codec.OptAnswer[];
  return Math.min(Math.max(extended?.udpPayloadSize ?? 0, UDP_BYTES.least), UDP_BYTES.most);
}

function encoded(
  query: codec.Packet,
  question: codec.Question,
  { result }: Answer,
  records: readonly DnsRecord[],
  flags = 0,
): Buffer {
  const isOurs = result !== 'refused' ? codec.AUTHORITATIVE_ANSWER : 0;
  const asked = (query.flags ?? 0) & codec.RECURSION_DESIRED;
  const hasExtension = query.additionals?.some(({ type }) => type === 'OPT');
  return codec.encode({
    type: 'response',
    ...(query.id !== undefined && { id: query.id }),
    flags: isOurs | asked | flags | RESULT_CODES[result],
    questions: [question],
    answers: records.map(encodable),
    ...(hasExtension && { additionals: [EXTENSION] }),
  });
}

/** That we know EDNS, and how much we take. */
const EXTENSION = {
  type: 'OPT',
  name: '.',
  udpPayloadSize: UDP_BYTES.most,
  flags: 0,
  options: [],
} as unknown as codec.Answer;

function encodable(record: DnsRecord): codec.Answer {
  const { name, type } = record;
  if (type === 'SRV')
    return {
      name,
      type,
      ttl: TTL_SECONDS,
      data: { port: record.port, target: record.target, priority: 0, weight: 1 },
    };
  return { name, type, ttl: TTL_SECONDS, data: record.address };
}

/** Programs take the first: each time another one comes first. */
function inTurn(records: readonly DnsRecord[]): DnsRecord[] {
  const first = Math.floor(Math.random() * records.length);
  return [...records.slice(first), ...records.slice(0, first)];
}
