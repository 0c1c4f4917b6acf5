import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { load } from 'js-yaml';

interface Kubeconfig {
  readonly clusters: { readonly cluster: { server: string; 'certificate-authority-data': string } }[];
  readonly users: { readonly user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}

/** What the operator's commands need of the API: calls to one hub, as the user of a kubeconfig. */
export class ApiClient {
  readonly #server: URL;
  readonly #tls: { readonly ca: string; readonly cert: string; readonly key: string };

  constructor(server: string, tls: { ca: string; cert: string; key: string }) {
    this.#server = new URL(server);
    this.#tls = tls;
  }

  /** Throws an error that says what to do when the file is not there or no kubeconfig. */
  static fromKubeconfig(path: string): ApiClient {
    try {
      const { clusters, users } = load(readFileSync(path, 'utf8')) as Kubeconfig;
      const [cluster, user] = [clusters[0]?.cluster, users[0]?.user];
      if (!cluster || !user) throw new Error('it names no cluster or no user');
      const text = (base64: string) => Buffer.from(base64, 'base64').toString();
      return new ApiClient(cluster.server, {
        ca: text(cluster['certificate-authority-data']),
        cert: text(user['client-certificate-data']),
        key: text(user['client-key-data']),
      });
    } catch (error) {
      throw new Error(`read the kubeconfig "${path}": name the hub's with --kubeconfig or KUBECONFIG`, {
        cause: error,
      });
    }
  }

  /** PEM. */
  get caCertificate(): string {
    return this.#tls.ca;
  }

  /** Resolves with the answer's object; rejects with the message of the answer's Status. */
  call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const headers = { Accept: 'application/json', ...(text && { 'Content-Type': 'application/json' }) };
      const call = request(new URL(path, this.#server), { method, headers, ...this.#tls }, (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          answer += chunk;
        });
        response.on('end', () => {
          const object = JSON.parse(answer || '{}') as Record<string, unknown>;
          if ((response.statusCode ?? 500) < 400) resolve(object);
          else reject(new Error(String(object['message'] ?? `the hub answered ${response.statusCode}`)));
        });
      });
      call.once('error', (error) =>
        reject(
          new Error(`the hub at ${this.#server.host} cannot be reached: does it run?`, { cause: error }),
        ),
      );
      call.end(text);
    });
  }
}
