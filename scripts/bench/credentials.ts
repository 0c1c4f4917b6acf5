import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';

interface Kubeconfig {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string };
  }[];
  readonly users: readonly {
    readonly user: { readonly 'client-certificate-data': string; readonly 'client-key-data': string };
  }[];
}

/** Where a hub is, and who a client is to it. PEM. */
export interface Credentials {
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

export function credentialsOf(kubeconfig: string): Credentials {
  const { clusters, users } = load(readFileSync(kubeconfig, 'utf8')) as Kubeconfig;
  const [cluster, user] = [clusters[0]?.cluster, users[0]?.user];
  if (!cluster || !user) throw new Error(`"${kubeconfig}" names no cluster or no user`);
  const pem = (base64: string) => Buffer.from(base64, 'base64').toString();
  const { hostname: host, port } = new URL(cluster.server);
  return {
    host,
    port: Number(port),
    ca: pem(cluster['certificate-authority-data']),
    certificate: pem(user['client-certificate-data']),
    key: pem(user['client-key-data']),
  };
}
