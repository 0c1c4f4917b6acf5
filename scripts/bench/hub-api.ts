import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { load } from 'js-yaml';

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
  readonly users: readonly {
    readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string };
  }[];
}

const CONTENT_TYPES: Readonly<Record<string, string>> = { PATCH: 'application/strategic-merge-patch+json' };

/** An API client as programs use it: TLS connections that stay open, and watches. */
export class HubApi {
  readonly #server: URL;
  readonly #agent: Agent;

  constructor(kubeconfig: string) {
    const { clusters, users } = load(readFileSync(kubeconfig, 'utf8')) as Kubeconfig;
    const [cluster, user] = [clusters[0]?.cluster, users[0]?.user];
    if (!cluster || !user) throw new Error(`"${kubeconfig}" names no cluster or no user`);
    const pem = (base64: string) => Buffer.from(base64, 'base64').toString();
    this.#server = new URL(cluster.server);
    this.#agent = new Agent({
      keepAlive: true,
      ca: pem(cluster['certificate-authority-data']),
      cert: pem(user['client-certificate-data']),
      key: pem(user['client-key-data']),
    });
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
