import { allContainersOf, type Pod } from './pod.ts';

/** Every ConfigMap and Secret that the pod's volumes and variables name, as `kind/namespace/name`. */
export function configurationNames(pod: Pod): string[] {
  const { metadata, spec } = pod;
  const volumes = (spec.volumes ?? []).flatMap(({ configMap, secret, projected, persistentVolumeClaim }) => [
    persistentVolumeClaim && `PersistentVolumeClaim/${persistentVolumeClaim.claimName}`,
    configMap && `ConfigMap/${configMap.name}`,
    secret && `Secret/${secret.secretName}`,
    ...(projected?.sources ?? []).flatMap((source) => [
      source.configMap && `ConfigMap/${source.configMap.name}`,
      source.secret && `Secret/${source.secret.name}`,
    ]),
  ]);
  const variables = allContainersOf(pod).flatMap(({ env = [], envFrom = [] }) => [
    ...env.flatMap(({ valueFrom }) => [
      valueFrom?.configMapKeyRef && `ConfigMap/${valueFrom.configMapKeyRef.name}`,
      valueFrom?.secretKeyRef && `Secret/${valueFrom.secretKeyRef.name}`,
    ]),
    ...envFrom.flatMap(({ configMapRef, secretRef }) => [
      configMapRef && `ConfigMap/${configMapRef.name}`,
      secretRef && `Secret/${secretRef.name}`,
    ]),
  ]);
  const names = [...volumes, ...variables].filter((name) => name !== undefined && name !== '');
  return [...new Set(names)].map((name) => (name as string).replace('/', `/${metadata.namespace}/`));
}
