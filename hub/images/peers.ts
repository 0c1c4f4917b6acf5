/** A device that gives layers to others of its site. */
export interface Peer {
  readonly node: string;
  readonly address: string;
  readonly port: number;
}

/** What is known of a device besides. */
export interface PlacedNode {
  /** Undefined: at no site, and so nobody's neighbour. */
  readonly site: string | undefined;
  readonly address: string | undefined;
  readonly isReady: boolean;
}

export interface SitePeersOptions {
  readonly find: (node: string) => PlacedNode | undefined;
  /** An order that differs each time, so that not all ask the same one. */
  readonly random: () => number;
}

const MOST_PEERS = 5;

/**
 * Which devices of a site give layers. They say so themselves each time they ask for an image; after a restart of the hub
 * nobody is known until they do again, which costs a site one more download.
 */
export class SitePeers {
  readonly #options: SitePeersOptions;
  readonly #ports = new Map<string, number>(); // by node

  constructor(options: SitePeersOptions) {
    this.#options = options;
  }

  /** A device gives layers on that port; undefined: it gives none. */
  told(node: string, port: number | undefined): void {
    if (port === undefined) this.#ports.delete(node);
    else this.#ports.set(node, port);
  }

  /** Some of those that are at the site of a node and connected. */
  of(node: string): Peer[] {
    const { find, random } = this.#options;
    const site = find(node)?.site;
    if (site === undefined) return [];
    const found = [...this.#ports].flatMap(([name, port]) => {
      const placed = find(name);
      if (!placed) this.#ports.delete(name);
      const isPeer = placed?.site === site && placed.isReady && placed.address !== undefined && name !== node;
      return isPeer ? [{ node: name, address: placed.address, port, order: random() }] : [];
    });
    return found
      .sort((a, b) => a.order - b.order)
      .slice(0, MOST_PEERS)
      .map(({ order: _, ...peer }) => ({ ...peer, address: peer.address ?? '' }));
  }
}
