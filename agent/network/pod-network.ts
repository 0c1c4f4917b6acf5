import { ownContainersOf, type Pod } from '../pod/pod.ts';
import { bridgeName, networkName } from '../runtime/network-name.ts';
import type { EngineNetwork, Namespace, NetworkMaker, ObservedContainer } from '../runtime/runtime.ts';
import { isJoined, seesBridge } from './joined.ts';
import { freeAddress, isIn, parseSubnet } from './subnet.ts';

/*
 * The network of this node's pods: a bridge of its own, which the engine makes and keeps, and an address for each pod,
 * which stays the pod's for as long as anything of it is there.
 */

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
  #subnet: string | undefined;
  #joins: Promise<boolean> | undefined;

  constructor(options: PodNetworkOptions) {
    this.#options = options;
    this.name = networkName(options.node);
  }

  /** The engine may be another one now, or have lost what it had. */
  forget(): void {
    this.#network = undefined;
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
    // To publish ports is the engine's work, for which it must have made the network itself.
    const publishes = ownContainersOf(pod).some(({ ports }) => ports?.some(({ hostPort }) => hostPort));
    // As it is to set sysctls of the network: the engine refuses them for one that it has not made.
    const tunes = pod.spec.securityContext?.sysctls?.some(({ name }) => /^net\b/.test(name)) ?? false;
    if (!publishes && !tunes && (await this.#canJoin(network)))
      return { network: { type: 'made-by-itself' }, ip };
    return { network: { type: 'named', name: network.name, ip }, ip };
  }

  /** Whether nothing is left to do for the network of a running infra container. */
  async isReady({ id, makesNetwork }: ObservedContainer): Promise<boolean> {
    return !makesNetwork || isJoined(id);
  }

  /** Rejects when it cannot be done here; from then on the engine makes the networks. */
  async connect({ id, pid, podIp }: ObservedContainer): Promise<void> {
    const { bridge, prefix, gateway } = await this.#ensured();
    const { join } = await import('./links.ts'); // an agent whose pods run does without
    try {
      await join({ containerId: id, pid, bridge, ip: podIp, prefix, gateway });
    } catch (error) {
      this.#joins = Promise.resolve(false);
      throw error;
    }
  }

  async #canJoin({ bridge, lasts }: EngineNetwork): Promise<boolean> {
    if (!lasts) return false;
    this.#joins ??= seesBridge(bridge).then(async (sees) => sees && (await import('./links.ts')).canJoin());
    return this.#joins;
  }

  #addressFor(uid: string, network: EngineNetwork): string {
    const subnet = parseSubnet(network.subnet);
    if (!subnet) throw new Error(`network ${network.name} has no IPv4 addresses: ${network.subnet}`);
    const known = this.#addresses.get(uid);
    if (known && isIn(subnet, known)) return known;
    const free = freeAddress(subnet, new Set([...this.#addresses.values(), network.gateway]));
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
    return network;
  }
}
