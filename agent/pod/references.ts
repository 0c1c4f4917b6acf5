import { allContainersOf, type Pod } from './pod.ts';

/** Who asks registries for the pod's images: what pods with the same Secrets have in common. */
export function pullerOf({ metadata, spec }: Pod): string {
  return `${metadata.namespace}/${(spec.imagePullSecrets ?? []).map(({ name }) => name).join(',')}`;
}

/** Every ConfigMap and Secret that the pod names, for what runs in it or to pull its images, as `kind/namespace/name`. */
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
  const pulls = (spec.imagePullSecrets ?? []).map(({ name }) => name && `Secret/${name}`);
  const names = [...volumes, ...variables, ...pulls].filter((name) => name !== undefined && name !== '');
  return [...new Set(names)].map((name) => (name as string).replace('/', `/${metadata.namespace}/`));
}
