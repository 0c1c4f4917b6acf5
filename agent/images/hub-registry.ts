import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { isIP } from 'node:net';
import type { Identity } from '../state/agent-state.ts';
import type { Peer } from './peers.ts';

const TIMEOUT_MS = 60_000;
const MOST_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Images of the hub, on the port of the link. Who asks is told by the device's certificate. */
export class HubRegistry {
  readonly #identity: Identity;

  constructor(identity: Identity) {
    this.#identity = identity;
  }

  /** A manifest or an index; undefined where the hub has no such image. Rejects when it can not be asked. */
  async manifest(name: string, reference: string): Promise<Buffer | undefined> {
    const answer = await this.#get(`/v2/${name}/manifests/${reference}`);
    if (answer.statusCode === 404) {
      answer.resume();
      return undefined;
    }
    if (answer.statusCode !== 200) throw await refusal(answer);
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of answer as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > MOST_MANIFEST_BYTES) throw new Error('the manifest must have at most 4 MiB');
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  /**
   * Who of this device's site gives layers. `port`: where it gives some itself. Empty where the hub does not tell: then it
   * alone is asked.
   */
  async peers(port: number): Promise<readonly Peer[]> {
    const answer = await this.#get('/v2/_holdfast/peers', { 'Holdfast-Peer-Port': String(port) });
    let text = '';
    for await (const part of answer.setEncoding('utf8')) text += part as string;
    return answer.statusCode === 200 ? (JSON.parse(text) as Peer[]) : [];
  }

  /** The rest of a blob, from a byte on. Rejects when there is none. */
  async blob(name: string, digest: string, from: number): Promise<AsyncIterable<Buffer>> {
    const headers = from > 0 ? { Range: `bytes=${from}-`, 'If-Range': `"${digest}"` } : {};
    const answer = await this.#get(`/v2/${name}/blobs/${digest}`, headers);
    if (answer.statusCode !== (from > 0 ? 206 : 200)) throw await refusal(answer);
    return answer;
  }

  async #get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<IncomingMessage> {
    const { hub, key, certificate: cert, caCertificate: ca } = this.#identity;
    const to = {
      host: hub.host,
      port: hub.grpcPort,
      path,
      headers,
      timeout: TIMEOUT_MS,
      agent: false,
    } as const;
    const tls = {
      key,
      cert,
      ca,
      ALPNProtocols: ['http/1.1'],
      ...(!isIP(hub.host) && { servername: hub.host }),
    };
    return new Promise((resolve, reject) => {
      const asked = request({ ...to, ...tls }, resolve);
      asked.once('timeout', () => asked.destroy(new Error(`the hub was silent for ${TIMEOUT_MS / 1000} s`)));
      asked.once('error', (error) =>
        reject(new Error(`the hub at ${hub.host}:${hub.grpcPort} does not give images: ${error.message}`)),
      );
      asked.end();
    });
  }
}

async function refusal(answer: IncomingMessage): Promise<Error> {
  let text = '';
  for await (const part of answer.setEncoding('utf8')) text += part as string;
  return new Error(`the hub does not give the image: ${answer.statusCode} ${text.slice(0, 200).trim()}`);
}
