import { configMaps, namespaces } from '../../resources/table-of-resources.ts';
import type { ConfigMapObject } from '../../resources/typed.ts';
import { type ControllerContext, type Running, startController, unlessGone } from '../controller.ts';

const NAME = 'kube-root-ca.crt';
const SOURCE = { fieldManager: 'root-ca-cert-publisher' };
const DESCRIPTION =
  'Contains the certificate of the CA with which the identity of the API server can be verified.';

/** Keeps a ConfigMap with the CA's certificate (PEM) in every namespace, for who must trust the API. */
export function startRootCertificatePublisher(context: ControllerContext, certificate: string): Running {
  const { registry } = context;
  return startController(context, {
    name: 'root-certificate',
    watches: [
      {
        resource: namespaces,
        keys: ({ type, object }) => (type === 'DELETED' ? [] : [object.metadata.name ?? '']),
      },
      {
        resource: configMaps,
        keys: ({ object: { metadata } }) => (metadata.name === NAME ? [metadata.namespace ?? ''] : []),
      },
    ],
    sync: async (namespace) => {
      const owner = registry.get(namespaces, undefined, namespace);
      if (!owner || owner.metadata.deletionTimestamp) return undefined;
      const current = registry.get(configMaps, namespace, NAME) as ConfigMapObject | undefined;
      if (current?.data?.['ca.crt'] === certificate) return undefined;
      const data = { 'ca.crt': certificate };
      const annotations = { 'kubernetes.io/description': DESCRIPTION };
      const wanted = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: NAME, namespace, annotations },
        data,
      };
      await unlessGone(
        registry.modify(
          configMaps,
          namespace,
          NAME,
          (newest) => (newest ? { ...newest, data } : wanted),
          SOURCE,
        ),
      );
      return undefined;
    },
  });
}
