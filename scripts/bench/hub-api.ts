import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { credentialsOf } from './credentials.ts';

const CONTENT_TYPES: Readonly<Record<string, string>> = { PATCH: 'application/strategic-merge-patch+json' };

/** An API client as programs use it: TLS connections that stay open, and watches. */
export class HubApi {
  readonly #server: URL;
  readonly #agent: Agent;

  constructor(kubeconfig: string) {
    const { host, port, ca, certificate: cert, key } = credentialsOf(kubeconfig);
    this.#server = new URL(`https://${host}:${port}`);
    this.#agent = new Agent({ keepAlive: true, ca, cert, key });
  }

  /** Resolves with the answer's object; rejects with what the hub says is wrong. */
  async call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await this.#send(method, path, body);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    const answer = JSON.parse(text || '{}') as Record<string, unknown>;
    if ((response.statusCode ?? 500) >= 400) throw new Error(`${method} ${path}: ${answer['message']}`);
    return answer;
  }

  /** Hands over the events of a watch, in order, until `stop`. Resolves once the watch is open. */
  async watch<T>(path: string, onEvent: (event: T) => void): Promise<{ stop(): void }> {
    const response = await this.#send('GET', path);
    let rest = '';
    response.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onEvent(JSON.parse(line) as T);
    });
    response.on('error', () => {}); // it was stopped, or its hub ended
    return { stop: () => response.destroy() };
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(method: string, path: string, body?: object): Promise<IncomingMessage> {
    const content = body && JSON.stringify(body);
    const type = CONTENT_TYPES[method] ?? 'application/json';
    const options: RequestOptions = {
      method,
      agent: this.#agent,
      headers: {
        Accept: 'application/json',
        ...(content && { 'Content-Type': type, 'Content-Length': Buffer.byteLength(content) }),
      },
    };
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, this.#server), options, resolve);
      sent.once('error', reject);
      sent.end(content);
    });
  }
}
