import { dump } from 'js-yaml';
import type { KeyPair } from './certificate-authority.ts';

/** A kubeconfig for one user of one hub. */
export function kubeconfig(server: string, caCertificate: string, user: string, pair: KeyPair): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return dump({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      { name: 'holdfast', cluster: { server, 'certificate-authority-data': base64(caCertificate) } },
    ],
    users: [
      {
        name: user,
        user: { 'client-certificate-data': base64(pair.certificate), 'client-key-data': base64(pair.key) },
      },
    ],
    contexts: [{ name: 'holdfast', context: { cluster: 'holdfast', user } }],
    'current-context': 'holdfast',
  });
}
