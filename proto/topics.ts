/** What a topic carries: the hub's newest snapshot (retained), messages each way, and whether the agent is there. */
export type Channel = 'desired' | 'down' | 'up' | 'presence';

const ROOT = 'holdfast/v1';
const CHANNELS: ReadonlySet<string> = new Set<Channel>(['desired', 'down', 'up', 'presence']);

/** `holdfast/v1/{cluster}/{node}/{channel}`. Node names are DNS subdomains, so none can hold a `/`, `+` or `#`. */
export function topicOf(cluster: string, node: string, channel: Channel): string {
  return `${ROOT}/${cluster}/${node}/${channel}`;
}

/** The subscription of the hub: this channel of every node. */
export function everyNode(cluster: string, channel: Channel): string {
  return `${ROOT}/${cluster}/+/${channel}`;
}

/** The parts of a topic of this cluster, or undefined for any other topic. */
export function parseTopic(cluster: string, topic: string): { node: string; channel: Channel } | undefined {
  const prefix = `${ROOT}/${cluster}/`;
  if (!topic.startsWith(prefix)) return undefined;
  const [node, channel, ...rest] = topic.slice(prefix.length).split('/');
  if (!node || !channel || rest.length > 0 || !CHANNELS.has(channel)) return undefined;
  return { node, channel: channel as Channel };
}
