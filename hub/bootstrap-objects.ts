import { reconcileDefaultRoles } from './authorization/reconcile-default-roles.ts';
import type { Registry } from './registry/registry.ts';
import type { ResourceDefinition } from './resources/definition.ts';
import { LOCAL_PATH_CLASS, LOCAL_PATH_PROVISIONER } from './resources/local-path.ts';
import type { KubeObject } from './resources/object.ts';
import { SYSTEM_PRIORITY_CLASSES } from './resources/priority-class.ts';
import { namespaces, priorityClasses, storageClasses } from './resources/table-of-resources.ts';

/** The namespaces that every cluster has. */
const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'].map((name): KubeObject => {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
});

/** As in K3s: claims that name no class get a directory on the device of their first pod. */
const LOCAL_PATH: KubeObject = {
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: {
    name: LOCAL_PATH_CLASS,
    annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
  },
  provisioner: LOCAL_PATH_PROVISIONER,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
};

/** Makes what must be there before anybody asks. */
export async function bootstrapObjects(registry: Registry): Promise<void> {
  await Promise.all([
    ...NAMESPACES.map((object) => ensure(registry, namespaces, object)),
    ...SYSTEM_PRIORITY_CLASSES.map((object) => ensure(registry, priorityClasses, object)),
    ensure(registry, storageClasses, LOCAL_PATH),
    reconcileDefaultRoles(registry),
  ]);
}

async function ensure(registry: Registry, resource: ResourceDefinition, object: KubeObject): Promise<void> {
  if (registry.get(resource, undefined, object.metadata.name ?? '')) return;
  await registry.create(resource, object, { fieldManager: 'holdfast-hub' });
}
