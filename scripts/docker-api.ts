import { type RequestOptions, request } from 'node:http';

export interface DockerAnswer {
  readonly status: number;
  readonly body: string;
}

/** The few calls of a Docker engine that scripts need, without the docker command. */
export class DockerApi {
  readonly #to: RequestOptions;

  /** @param host `unix:///path` or `tcp://host:port` */
  constructor(host: string) {
    const url = new URL(host);
    this.#to =
      url.protocol === 'unix:'
        ? { socketPath: url.pathname }
        : { host: url.hostname, port: url.port || 2375 };
  }

  /** Resolves with any answer; rejects when there is none. */
  call(method: string, path: string, body?: Buffer): Promise<DockerAnswer> {
    const headers = body ? { 'Content-Type': 'application/x-tar', 'Content-Length': body.length } : {};
    return new Promise((resolve, reject) => {
      const sent = request({ ...this.#to, method, path, headers, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
        );
      });
      sent.once('error', reject);
      sent.end(body);
    });
  }

  async ping(): Promise<void> {
    const { status, body } = await this.call('GET', '/_ping');
    if (status !== 200) throw new Error(`the engine answered ${status}: ${body}`);
  }

  /** Undefined when there is no such image. */
  async imageLabels(name: string): Promise<Readonly<Record<string, string>> | undefined> {
    const { status, body } = await this.call('GET', `/images/${encodeURIComponent(name)}/json`);
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(`inspect image "${name}": ${body}`);
    return (JSON.parse(body) as { Config?: { Labels?: Record<string, string> } }).Config?.Labels ?? {};
  }

  /** An archive as `docker save` writes it. */
  async loadImage(archive: Buffer): Promise<void> {
    const { status, body } = await this.call('POST', '/images/load?quiet=1', archive);
    // What is wrong with the archive is told in the body of a 200.
    if (status !== 200 || /"error"/.test(body)) throw new Error(`load an image: ${body}`);
  }

  /** Makes an image of one layer. `changes` are lines of a Dockerfile: CMD, ENV, LABEL and so on. */
  async importImage(name: string, layer: Buffer, changes: readonly string[]): Promise<void> {
    // With its tag: Podman does not look at one that is told apart.
    const query = new URLSearchParams({ fromSrc: '-', repo: name });
    for (const change of changes) query.append('changes', change);
    const { status, body } = await this.call('POST', `/images/create?${query}`, layer);
    // Errors after the first byte come in the body of a 200.
    if (status !== 200 || body.includes('"errorDetail"')) throw new Error(`import image "${name}": ${body}`);
  }

  /** Does nothing for an image that is not there or in use. */
  async removeImage(name: string): Promise<void> {
    await this.#expect('DELETE', `/images/${encodeURIComponent(name)}`, [200, 404, 409]);
  }

  /** Ids of all containers with a label, the stopped ones too. */
  async containersWith(label: string): Promise<string[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const { body } = await this.#expect('GET', `/containers/json?all=true&filters=${filters}`, [200]);
    return (JSON.parse(body) as { Id: string }[]).map(({ Id }) => Id);
  }

  async removeContainer(id: string): Promise<void> {
    await this.#expect('DELETE', `/containers/${id}?force=true&v=true`, [204, 404, 409]);
  }

  async networksWith(label: string): Promise<string[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const { body } = await this.#expect('GET', `/networks?filters=${filters}`, [200]);
    return (JSON.parse(body) as { Id: string }[]).map(({ Id }) => Id);
  }

  async removeNetwork(id: string): Promise<void> {
    await this.#expect('DELETE', `/networks/${id}`, [204, 404]);
  }

  async #expect(method: string, path: string, statuses: readonly number[]): Promise<DockerAnswer> {
    const answer = await this.call(method, path);
    if (!statuses.includes(answer.status))
      throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return answer;
  }
}
