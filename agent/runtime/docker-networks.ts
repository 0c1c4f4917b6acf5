import type Docker from 'dockerode';
import type { DockerConnection } from './docker-connection.ts';
import { NODE_LABEL } from './labels.ts';
import { type EngineNetwork, type NetworkMaker, RuntimeError } from './runtime.ts';

/** Networks of the node, made by its engine. */
export class DockerNetworks implements NetworkMaker {
  readonly #engine: DockerConnection;
  readonly #node: string;

  constructor(engine: DockerConnection, node: string) {
    this.#engine = engine;
    this.#node = node;
  }

  async ensureNetwork(name: string, bridge: string, subnet: string | undefined): Promise<EngineNetwork> {
    const found = await this.#findNetwork(name);
    if (found) return this.#networkOf(found, subnet);
    if (subnet) return this.#makeNetwork(name, bridge, subnet);
    // The engine knows which addresses are free, but lets containers choose theirs only in what it was told.
    const trial = `${name}.trial`;
    await this.removeNetwork(trial);
    const chosen = await this.#makeNetwork(trial, bridge, undefined);
    await this.removeNetwork(trial);
    return this.#makeNetwork(name, bridge, chosen.subnet);
  }

  /** Of one that is gone: nothing happens. */
  async removeNetwork(name: string): Promise<void> {
    await this.#engine.unlessGone(`remove network ${name}`, () =>
      this.#engine.docker.getNetwork(name).remove(),
    );
  }

  async #makeNetwork(name: string, bridge: string, subnet: string | undefined): Promise<EngineNetwork> {
    const network = await this.#engine.call(`make network ${name}`, () =>
      this.#engine.docker.createNetwork({
        Name: name,
        Driver: 'bridge',
        CheckDuplicate: true,
        Options: { 'com.docker.network.bridge.name': bridge },
        Labels: { [NODE_LABEL]: this.#node },
        ...(subnet && { IPAM: { Driver: 'default', Config: [{ Subnet: subnet }] } }),
      }),
    );
    const made = await this.#engine.call(`inspect network ${name}`, () => network.inspect());
    return this.#networkOf(made as Docker.NetworkInspectInfo, undefined);
  }

  async #networkOf(found: Docker.NetworkInspectInfo, wanted: string | undefined): Promise<EngineNetwork> {
    const podman = await this.#engine.call('ask the engine for its version', () => this.#engine.podman());
    return { ...networkOf(found, wanted), lasts: podman === undefined };
  }

  async #findNetwork(name: string): Promise<Docker.NetworkInspectInfo | undefined> {
    return this.#engine.unlessGone(`inspect network ${name}`, () =>
      this.#engine.docker.getNetwork(name).inspect(),
    );
  }
}

function networkOf(
  found: Docker.NetworkInspectInfo,
  wanted: string | undefined,
): Omit<EngineNetwork, 'lasts'> {
  const { Name: name, Id, IPAM, Options } = found;
  const { Subnet: subnet = '', Gateway } = IPAM?.Config?.find(({ Subnet }) => Subnet?.includes('.')) ?? {};
  if (wanted && subnet !== wanted)
    throw new RuntimeError(
      'other',
      `network ${name} has the addresses ${subnet}, and "podSubnet" says ${wanted}: end this device's pods, then remove the network`,
    );
  const bridge = Options?.['com.docker.network.bridge.name'] ?? `br-${Id.slice(0, 12)}`;
  const [address = '', prefix] = subnet.split('/');
  // The engine takes the first address when nobody told it another.
  const gateway = Gateway || address.replace(/\d+$/, (last) => String(Number(last) + 1));
  return { name, bridge, subnet, prefix: Number(prefix), gateway };
}
