/** A text such as `prometheus.example:9090,http://10.0.0.5:9090`: what is wrong with it, undefined when nothing is. */
export function gateServersProblem(text: string): string | undefined {
  const bad = entriesOf(text).find((entry) => originOf(entry) === undefined);
  return bad === undefined
    ? undefined
    : `must list servers such as prometheus.example:9090 (by https) or http://10.0.0.5:9090, has ${JSON.stringify(bad)}`;
}

/** The origins that gates of rollouts may ask. What passed `gateServersProblem` is understood. */
export function parseGateServers(text: string): ReadonlySet<string> {
  return new Set(entriesOf(text).flatMap((entry) => originOf(entry) ?? []));
}

/** Why the hub will not ask this URL; undefined when it will. */
export function serverRefusal(url: string, servers: ReadonlySet<string>): string | undefined {
  const { origin } = new URL(url);
  return servers.has(origin)
    ? undefined
    : `the hub asks only servers that are listed in its setting --gate-servers, and ${origin} is not`;
}

function entriesOf(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter(Boolean);
}

function originOf(entry: string): string | undefined {
  const url = URL.parse(/^[a-z]+:\/\//i.test(entry) ? entry : `https://${entry}`);
  const isServer = url?.protocol === 'https:' || url?.protocol === 'http:';
  const isBare = url?.pathname === '/' && !url.search && !url.hash && !url.username && !url.password;
  return isServer && isBare ? url.origin : undefined;
}
