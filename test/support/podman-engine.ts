import { DebianPodman } from '../../scripts/debian-podman.ts';
import { Engine } from './engine.ts';

/** Why there can be none here; undefined when there can. */
export const whyNoPodman = () =>
  process.getuid?.() === 0 ? undefined : 'only root may run containers that need no user of their own';

/** A Podman of a test's own. */
export class PodmanEngine extends Engine {
  override readonly kind = 'podman';
  readonly dir: string;
  readonly #podman: DebianPodman;

  /** `registries`: those that have no TLS, by name and port. Docker takes those of the machine itself as they are. */
  constructor(registries: readonly string[] = []) {
    const podman = new DebianPodman({ registries, settings: SETTINGS });
    super(podman.host);
    this.#podman = podman;
    this.dir = podman.dir;
  }

  get pid(): number {
    return this.#podman.pid;
  }

  start(): Promise<void> {
    return this.#podman.start();
  }

  stop(): Promise<void> {
    return this.#podman.stop();
  }

  /** Podman keeps what holds a network until those that share it are gone, whom the agent or the test removes. */
  override async remove(id: string): Promise<void> {
    await this.kill(id).catch(() => {}); // it may have ended, or be gone
    await super.remove(id);
  }

  async close(): Promise<void> {
    if (await this.answers()) await this.#removeAll();
    await this.#podman.close();
  }

  async #removeAll(): Promise<void> {
    const all = await this.docker.listContainers({ all: true });
    await Promise.all(all.map(({ Id }) => this.remove(Id)));
    const filters = JSON.stringify({ label: ['holdfast.dev/node'] });
    for (const { Id } of await this.docker.listNetworks({ filters }))
      await this.docker.getNetwork(Id).remove();
  }
}

const SETTINGS = {
  engine: { exit_command_delay: 1 }, // or two processes stay for five minutes after each command in a container
  // Podmans of tests that run at once share the machine's routes, and would choose the same addresses.
  network: { default_subnet_pools: [{ base: `10.${100 + (process.pid % 100)}.0.0/16`, size: 24 }] },
};
