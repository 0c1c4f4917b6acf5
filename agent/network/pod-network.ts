import { ownContainersOf, type Pod } from '../pod/pod.ts';
import { bridgeName, networkName } from '../runtime/network-name.ts';
import type { EngineNetwork, Namespace, NetworkMaker, ObservedContainer } from '../runtime/runtime.ts';
import { isJoined, seesBridge, sharesMounts } from './joined.ts';
import { freeAddress, isIn, lastAddress, parseSubnet } from './subnet.ts';

/*
 * The network of this node's pods: a bridge of its own, which the engine makes and keeps, and an address for each pod,
 * which stays the pod's for as long as anything of it is there.
 */

/** How pods get into the network without the engine; undefined where only the engine can do that. */
type Way = 'made-by-itself' | 'bare' | undefined;

export interface PodNetworkOptions {
  readonly node: string;
  readonly maker: NetworkMaker;
  /** Which addresses pods have; undefined: as the engine chooses. */
  readonly subnet: string | undefined;
}

export class PodNetwork {
  readonly name: string;
  readonly #options: PodNetworkOptions;
  readonly #addresses = new Map<string, string>(); // by the pod's uid
  #network: Promise<EngineNetwork> | undefined;
  #way: Promise<Way> | undefined;
  #subnet: string | undefined;
  #hasPrograms: Promise<boolean> | undefined;
  /** It was tried, and could not be done. */
  #isLeftToEngine = false;

  constructor(options: PodNetworkOptions) {
    this.#options = options;
    this.name = networkName(options.node);
  }

  /** The engine may be another one now, or have lost what it had. */
  forget(): void {
    this.#network = undefined;
    this.#way = undefined;
    this.#isLeftToEngine = false;
  }

  /** The device's own address in it. Rejects while the engine does not answer. */
  async gateway(): Promise<string> {
    return (await this.#ensured()).gateway;
  }

  /** What is known of a pod's address from its containers. */
  seen(uid: string, ip: string): void {
    if (ip) this.#addresses.set(uid, ip);
  }

  /** The pod is gone, and its address free. */
  release(uid: string): void {
    this.#addresses.delete(uid);
  }

  /** The network of a new infra container, and the pod's address. Rejects when there is none left. */
  async namespaceFor(pod: Pod): Promise<{ network: Namespace; ip: string }> {
    if (pod.spec.hostNetwork) return { network: { type: 'host' }, ip: '' };
    const network = await this.#ensured();
    const ip = this.#addressFor(pod.metadata.uid, network);
    const way = await this.#wayOf(pod, network);
    return { network: way ? { type: way } : { type: 'named', name: network.name, ip }, ip };
  }

  /** Whether nothing is left to do for the network of a running infra container. */
  async isReady({ id, makesNetwork, networkFile }: ObservedContainer): Promise<boolean> {
    if (networkFile !== undefined) await this.#ensured(); // there while it is held
    return !makesNetwork || isJoined(id);
  }

  /**
   * Rejects when it cannot be done here: from then on the engine makes the networks, until `forget`; or when somebody has
   * deleted the bridge, which the engine makes with the next.
   */
  async connect({ id, pid, networkFile, podIp }: ObservedContainer): Promise<void> {
    const { bridge, prefix, gateway } = await this.#ensured();
    const { join } = await import('./links.ts'); // an agent whose pods run does without
    const network = networkFile === undefined ? { pid } : { path: networkFile };
    try {
      await join({ containerId: id, network, bridge, ip: podIp, prefix, gateway });
    } catch (error) {
      this.#isLeftToEngine ||= await seesBridge(bridge);
      throw error;
    }
  }

  #addressFor(uid: string, network: EngineNetwork): string {
    const subnet = parseSubnet(network.subnet);
    if (!subnet) throw new Error(`network ${network.name} has no IPv4 addresses: ${network.subnet}`);
    const known = this.#addresses.get(uid);
    if (known && isIn(subnet, known)) return known;
    const taken = [...this.#addresses.values(), network.gateway, lastAddress(subnet)]; // the last is its holder's
    const free = freeAddress(subnet, new Set(taken));
    if (!free)
      throw new Error(`all addresses of ${network.subnet} are taken: give pods a larger "podSubnet"`);
    this.#addresses.set(uid, free);
    return free;
  }

  #ensured(): Promise<EngineNetwork> {
    this.#network ??= this.#ensure().catch((error: unknown) => {
      this.#network = undefined;
      throw error;
    });
    return this.#network;
  }

  /** One that was lost is made anew with the addresses that it had, which pods still have. */
  async #ensure(): Promise<EngineNetwork> {
    const { node, maker, subnet } = this.#options;
    const network = await maker.ensureNetwork(this.name, bridgeName(node), subnet ?? this.#subnet);
    this.#subnet = network.subnet;
    // Pods that run depend on who holds it; where nobody must, who starts no pod asks for nothing more.
    if (network.lasts === 'held') await this.#wayInto(network);
    return network;
  }

  async #wayOf(pod: Pod, network: EngineNetwork): Promise<Way> {
    if (this.#isLeftToEngine || engineMakes(pod)) return undefined;
    const way = await this.#wayInto(network);
    // Podman shares nothing but a network that is nothing else.
    if (way === 'bare' && sharesMore(pod)) return undefined;
    // Asked for each: a bridge that somebody deleted is there again with the first network that the engine makes.
    return (await seesBridge(network.bridge)) ? way : undefined;
  }

  #wayInto(network: EngineNetwork): Promise<Way> {
    this.#way ??= this.#findWay(network).catch((error: unknown) => {
      this.#way = undefined;
      throw error;
    });
    return this.#way;
  }

  async #findWay({ name, lasts, subnet }: EngineNetwork): Promise<Way> {
    const { maker } = this.#options;
    const parsed = parseSubnet(subnet);
    if (lasts === 'never' || (lasts === 'held' && !maker.hasBareNetworks) || !parsed) return undefined;
    this.#hasPrograms ??= import('./links.ts').then(({ canJoin }) => canJoin());
    if (!(await this.#hasPrograms)) return undefined;
    const way = lasts === 'held' ? 'bare' : 'made-by-itself';
    if (way === 'bare' && !(await sharesMounts(await maker.holdNetwork(name, lastAddress(parsed)))))
      return undefined;
    return way;
  }
}

/** Ports to publish, for which it must have made the network itself; and sysctls of one: it refuses them for any other. */
function engineMakes(pod: Pod): boolean {
  const publishes = ownContainersOf(pod).some(({ ports }) => ports?.some(({ hostPort }) => hostPort));
  return publishes || (pod.spec.securityContext?.sysctls?.some(({ name }) => /^net\b/.test(name)) ?? false);
}

/** Whether its containers share more than a network, or one sets what it would share. */
function sharesMore({ spec }: Pod): boolean {
  const { containers, initContainers = [], shareProcessNamespace, securityContext } = spec;
  if (containers.length + initContainers.length > 1 || shareProcessNamespace) return true;
  return (securityContext?.sysctls?.length ?? 0) > 0;
}
