import type { Registry } from './registry/registry.ts';
import { namespaces } from './resources/table-of-resources.ts';

/** The namespaces that every cluster has. */
const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** Makes what must be there before anybody asks. */
export async function bootstrapObjects(registry: Registry): Promise<void> {
  const missing = NAMESPACES.filter((name) => !registry.get(namespaces, undefined, name));
  await Promise.all(
    missing.map((name) =>
      registry.create(
        namespaces,
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
        { fieldManager: 'holdfast-hub' },
      ),
    ),
  );
}
