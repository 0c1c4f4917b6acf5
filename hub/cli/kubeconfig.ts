import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { load } from 'js-yaml';

/** How one context of a kubeconfig reaches its cluster. PEM where Node.js wants PEM. */
export interface Connection {
  readonly server: string;
  readonly namespace: string;
  readonly tls: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly rejectUnauthorized?: boolean;
    readonly servername?: string;
  };
  readonly token?: string;
}

type Fields = Readonly<Record<string, unknown>>;

interface Kubeconfig {
  readonly clusters: readonly Named<'cluster'>[];
  readonly users: readonly Named<'user'>[];
  readonly contexts: readonly Named<'context'>[];
  readonly currentContext: string;
}

/** An entry of one of its lists, with the file that it is from: paths in it are relative to that. */
type Named<Key extends string> = { readonly name: string; readonly file: string } & {
  readonly [key in Key]: Fields;
};

/**
 * What a kubeconfig says of a context, the current one when none is named. `paths` may be several files, parted by
 * colons as in KUBECONFIG: what the first of them says counts. Throws an error that says what was wanted and found.
 */
export function readConnection(paths: string, context?: string): Connection {
  const config = merged(
    paths
      .split(':')
      .filter(Boolean)
      .map((file) => readOne(file)),
  );
  const name = context || config.currentContext;
  if (!name) return connectionOf(config.clusters[0], config.users[0], {});
  const { context: found } = wanted('context', name, config.contexts);
  const clusterName = textOf(found, 'cluster') ?? '';
  const userName = textOf(found, 'user');
  const user = userName === undefined ? undefined : wanted('user', userName, config.users);
  return connectionOf(wanted('cluster', clusterName, config.clusters), user, found);
}

function merged(all: readonly Kubeconfig[]): Kubeconfig {
  return {
    clusters: all.flatMap(({ clusters }) => clusters),
    users: all.flatMap(({ users }) => users),
    contexts: all.flatMap(({ contexts }) => contexts),
    currentContext: all.find(({ currentContext }) => currentContext)?.currentContext ?? '',
  };
}

function readOne(file: string): Kubeconfig {
  const content = load(readFileSync(file, 'utf8'));
  if (typeof content !== 'object' || content === null) throw new Error(`"${file}" is no kubeconfig`);
  const given = content as Fields;
  const named = <Key extends string>(list: string, key: Key) =>
    (Array.isArray(given[list]) ? (given[list] as Fields[]) : []).map(
      (entry) => ({ name: `${entry['name']}`, file, [key]: entry[key] ?? {} }) as Named<Key>,
    );
  return {
    clusters: named('clusters', 'cluster'),
    users: named('users', 'user'),
    contexts: named('contexts', 'context'),
    currentContext: textOf(given, 'current-context') ?? '',
  };
}

function wanted<Entry extends { readonly name: string }>(
  what: string,
  name: string,
  entries: readonly Entry[],
): Entry {
  const found = entries.find((entry) => entry.name === name);
  if (found) return found;
  const there = entries.map((entry) => entry.name).join(', ') || 'none';
  throw new Error(`it has no ${what} "${name}": there are ${there}`);
}

function connectionOf(
  cluster: Named<'cluster'> | undefined,
  user: Named<'user'> | undefined,
  context: Fields,
): Connection {
  const server = cluster && textOf(cluster.cluster, 'server');
  if (!cluster || !server) throw new Error('it names no cluster');
  const credentials = user?.user ?? {};
  for (const way of ['exec', 'auth-provider'])
    if (credentials[way] !== undefined)
      throw new Error(
        `user "${user?.name}" has its credentials from "${way}": give it a certificate or token`,
      );
  const ca = pem(cluster.cluster, 'certificate-authority', cluster.file);
  const cert = pem(credentials, 'client-certificate', user?.file);
  const key = pem(credentials, 'client-key', user?.file);
  const servername = textOf(cluster.cluster, 'tls-server-name');
  const token = tokenOf(credentials, user?.file);
  return {
    server,
    namespace: textOf(context, 'namespace') ?? 'default',
    tls: {
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(servername && { servername }),
      ...(cluster.cluster['insecure-skip-tls-verify'] === true && { rejectUnauthorized: false }),
    },
    ...(token && { token }),
  };
}

/** What `field-data` holds, or the file that `field` names. */
function pem(fields: Fields, field: string, file = ''): string | undefined {
  const data = textOf(fields, `${field}-data`);
  if (data !== undefined) return Buffer.from(data, 'base64').toString();
  const path = textOf(fields, field);
  return path === undefined ? undefined : readFileSync(resolve(dirname(file), path), 'utf8');
}

function tokenOf(fields: Fields, file = ''): string | undefined {
  const path = textOf(fields, 'tokenFile');
  return path === undefined
    ? textOf(fields, 'token')
    : readFileSync(resolve(dirname(file), path), 'utf8').trim();
}

function textOf(fields: Fields, field: string): string | undefined {
  const value = fields[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
