import { Agent, request } from 'node:http';

/**
 * The floor: the engine's own calls, one after the other on connections that stay open, with nothing around them. What
 * it makes carries a label, by which leftovers are found.
 */
export class RawEngine {
  readonly socketPath: string;
  readonly #label: string;
  readonly #agent = new Agent({ keepAlive: true });

  /** @param host `unix:///path` */
  constructor(host: string, label: string) {
    this.socketPath = new URL(host).pathname;
    this.#label = label;
  }

  /** A container on the engine's bridge. Resolves with its id. */
  async create(image: string, command: readonly string[]): Promise<string> {
    const options = {
      Image: image,
      Cmd: command,
      Labels: { [this.#label]: '' },
      HostConfig: { NetworkMode: 'bridge' },
    };
    return (JSON.parse(await this.#call('POST', '/containers/create', options)) as { Id: string }).Id;
  }

  async start(id: string): Promise<void> {
    await this.#call('POST', `/containers/${id}/start`);
  }

  async kill(id: string): Promise<void> {
    await this.#call('POST', `/containers/${id}/kill?signal=SIGKILL`);
  }

  /** Resolves when it has ended, killed if it takes longer. */
  async stop(id: string, graceSeconds: number): Promise<void> {
    await this.#call('POST', `/containers/${id}/stop?t=${graceSeconds}`);
  }

  /** Resolves when it has ended. */
  async wait(id: string): Promise<void> {
    await this.#call('POST', `/containers/${id}/wait`);
  }

  async remove(id: string): Promise<void> {
    await this.#call('DELETE', `/containers/${id}?force=true&v=true`);
  }

  /** Removes all containers and networks with this label. */
  async removeAll(label = this.#label): Promise<void> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const found = await this.#call('GET', `/containers/json?all=true&filters=${filters}`);
    const ids = (JSON.parse(found) as { Id: string }[]).map(({ Id }) => Id);
    await Promise.all(ids.map((id) => this.remove(id).catch(() => {}))); // somebody else may remove it too
    const networks = JSON.parse(await this.#call('GET', `/networks?filters=${filters}`)) as { Id: string }[];
    await Promise.all(networks.map(({ Id }) => this.#call('DELETE', `/networks/${Id}`).catch(() => {})));
  }

  /** When the engine says that it started its container. */
  async startedAt(id: string): Promise<string> {
    const { State } = JSON.parse(await this.#call('GET', `/containers/${id}/json`)) as {
      State: { StartedAt: string };
    };
    return State.StartedAt;
  }

  /** Containers and networks with a label, and all volumes: those that nobody named have no label. */
  async names(label: string): Promise<Record<'containers' | 'networks' | 'volumes', string[]>> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const containers = await this.#call('GET', `/containers/json?all=true&filters=${filters}`);
    const networks = await this.#call('GET', `/networks?filters=${filters}`);
    const volumes = await this.#call('GET', '/volumes');
    return {
      containers: (JSON.parse(containers) as { Id: string }[]).map(({ Id }) => Id),
      networks: (JSON.parse(networks) as { Id: string }[]).map(({ Id }) => Id),
      volumes: ((JSON.parse(volumes) as { Volumes: { Name: string }[] | null }).Volumes ?? []).map(
        ({ Name }) => Name,
      ),
    };
  }

  /** The directory in which it has its containers. */
  async rootDir(): Promise<string> {
    return (JSON.parse(await this.#call('GET', '/info')) as { DockerRootDir: string }).DockerRootDir;
  }

  close(): void {
    this.#agent.destroy();
  }

  #call(method: string, path: string, body?: object): Promise<string> {
    const content = body && JSON.stringify(body);
    const headers = content
      ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content) }
      : {};
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.socketPath, agent: this.#agent, method, path, headers };
      const sent = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.once('end', () => {
          if ((response.statusCode ?? 500) < 400) resolve(text);
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        });
        response.once('error', reject);
      });
      sent.once('error', reject);
      sent.end(content);
    });
  }
}
