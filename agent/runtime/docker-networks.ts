import type Docker from 'dockerode';
import type { DockerConnection } from './docker-connection.ts';
import { INFRA_COMMAND } from './infra-image.ts';
import { HOLDS_LABEL, NODE_LABEL } from './labels.ts';
import { holderName } from './network-name.ts';
import { type EngineNetwork, type NetworkHolder, type NetworkMaker, RuntimeError } from './runtime.ts';

type Found = Omit<EngineNetwork, 'lasts'>;

const BRIDGE_OPTION = 'com.docker.network.bridge.name';

/** Networks of the node, made by its engine. */
export class DockerNetworks implements Omit<NetworkMaker, 'hasBareNetworks'> {
  readonly #engine: DockerConnection;
  readonly #node: string;
  readonly #holderImage: () => Promise<string>;

  constructor(engine: DockerConnection, node: string, holderImage: () => Promise<string>) {
    this.#engine = engine;
    this.#node = node;
    this.#holderImage = holderImage;
  }

  async ensureNetwork(name: string, bridge: string, subnet: string | undefined): Promise<EngineNetwork> {
    const podman = await this.#engine.call('ask the engine for its version', () => this.#engine.podman());
    const lasts = podman ? await podman.lastingOf(this.#engine.docker) : 'always';
    return { ...(await this.#found(name, bridge, subnet)), lasts };
  }

  async holdNetwork(name: string, ip: string): Promise<NetworkHolder> {
    const holder = this.#engine.docker.getContainer(holderName(name));
    const found = await this.#engine.unlessGone(`inspect who holds network ${name}`, () => holder.inspect());
    if (found?.State.Running) return holderOf(found);
    if (found) await this.#removeHolder(name);
    const Image = await this.#holderImage();
    return this.#engine.call(`hold network ${name}`, async () => {
      const made = await this.#engine.docker.createContainer({
        ...{ name: holderName(name), Image, Cmd: INFRA_COMMAND },
        Labels: { [NODE_LABEL]: this.#node, [HOLDS_LABEL]: name },
        HostConfig: { NetworkMode: name, ReadonlyRootfs: true, CapDrop: ['ALL'] },
        NetworkingConfig: { EndpointsConfig: { [name]: { IPAMConfig: { IPv4Address: ip } } } },
      });
      await made.start();
      return holderOf(await made.inspect());
    });
  }

  async #found(name: string, bridge: string, subnet: string | undefined): Promise<Found> {
    const found = await this.#findNetwork(name);
    if (found) return networkOf(found, bridge, subnet);
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
    await this.#removeHolder(name);
    await this.#engine.unlessGone(`remove network ${name}`, () =>
      this.#engine.docker.getNetwork(name).remove(),
    );
  }

  async #makeNetwork(name: string, bridge: string, subnet: string | undefined): Promise<Found> {
    const { docker } = this.#engine;
    const labels = { [NODE_LABEL]: this.#node };
    await this.#engine.call(`make network ${name}`, async () => {
      const podman = await this.#engine.podman();
      if (podman) return podman.makeNetwork(docker, { name, bridge, subnet, labels });
      return docker.createNetwork({
        Name: name,
        Driver: 'bridge',
        CheckDuplicate: true,
        Options: { [BRIDGE_OPTION]: bridge },
        Labels: labels,
        ...(subnet && { IPAM: { Driver: 'default', Config: [{ Subnet: subnet }] } }),
      });
    });
    const made = await this.#engine.call(`inspect network ${name}`, () => docker.getNetwork(name).inspect());
    return networkOf(made as Docker.NetworkInspectInfo, bridge, undefined);
  }

  async #removeHolder(name: string): Promise<void> {
    await this.#engine.unlessGone(`let go of network ${name}`, () =>
      this.#engine.docker.getContainer(holderName(name)).remove({ force: true, v: true }),
    );
  }

  async #findNetwork(name: string): Promise<Docker.NetworkInspectInfo | undefined> {
    return this.#engine.unlessGone(`inspect network ${name}`, () =>
      this.#engine.docker.getNetwork(name).inspect(),
    );
  }
}

function networkOf(found: Docker.NetworkInspectInfo, ownBridge: string, wanted: string | undefined): Found {
  const { Name: name, Labels, IPAM, Options } = found;
  const { Subnet: subnet = '', Gateway } = IPAM?.Config?.find(({ Subnet }) => Subnet?.includes('.')) ?? {};
  if (wanted && subnet !== wanted)
    throw new RuntimeError(
      'other',
      `network ${name} has the addresses ${subnet}, and "podSubnet" says ${wanted}: end this device's pods, then remove the network`,
    );
  // Podman does not tell; of one that is not ours nothing is known.
  const bridge =
    Options?.[BRIDGE_OPTION] ?? (Labels?.[NODE_LABEL] ? ownBridge : `br-${found.Id.slice(0, 12)}`);
  const [address = '', prefix] = subnet.split('/');
  // The engine takes the first address when nobody told it another.
  const gateway = Gateway || address.replace(/\d+$/, (last) => String(Number(last) + 1));
  return { name, bridge, subnet, prefix: Number(prefix), gateway };
}

const holderOf = ({ State, NetworkSettings }: Docker.ContainerInspectInfo): NetworkHolder => ({
  pid: State.Pid,
  networkFile: NetworkSettings.SandboxKey,
});
