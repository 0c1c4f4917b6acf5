import type { LocalObjectReference, PodSpec, Volume } from 'kubernetes-types/core/v1.d.ts';
import type { Registry } from '../registry/registry.ts';
import { forbidden } from '../resources/api-error.ts';
import { generateName } from '../resources/generate-name.ts';
import { isMirror } from '../resources/mirror-pod.ts';
import type { KubeObject } from '../resources/object.ts';
import { pods, serviceAccounts } from '../resources/table-of-resources.ts';
import type { PodObject } from '../resources/typed.ts';
import { creates } from './is-resource.ts';
import type { AdmissionPlugin } from './plugin.ts';

const DEFAULT = 'default';
const TOKEN_VOLUME = 'kube-api-access-';
const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Kubernetes' own number, by which its tokens are told from those that somebody asked for. */
const TOKEN_SECONDS = 3607;

/**
 * A pod acts as a ServiceAccount of its namespace, which must exist, and pulls its images with that account's secrets
 * unless it names its own. Its containers find a token of that account, unless it, or the pod, does not want that. The account `default` may be missing: it comes a moment after its namespace.
 * What a device runs by itself acts as nobody.
 */
export function serviceAccount(registry: Registry): AdmissionPlugin {
  return {
    complete: (request) => {
      if (!creates(request, pods) || isMirror(request.object)) return;
      const { spec, metadata } = request.object as PodObject;
      spec.serviceAccountName ||= DEFAULT;
      spec.serviceAccount = spec.serviceAccountName;
      const account = registry.get(serviceAccounts, metadata.namespace, spec.serviceAccountName);
      if (!account && spec.serviceAccountName !== DEFAULT) {
        const wanted = `${metadata.namespace}/${spec.serviceAccountName}`;
        const why = `error looking up service account ${wanted}: serviceaccount "${spec.serviceAccountName}" not found`;
        throw forbidden(pods, metadata.name ?? '', why);
      }
      const secrets = imagePullSecretsOf(account);
      if (!spec.imagePullSecrets?.length && secrets?.length) spec.imagePullSecrets = [...secrets];
      if (spec.automountServiceAccountToken ?? automountOf(account)) mountToken(spec);
    },
  };
}

function automountOf(account: KubeObject | undefined): boolean {
  return (
    (account as { automountServiceAccountToken?: boolean } | undefined)?.automountServiceAccountToken ?? true
  );
}

/** Who does not mount something else there finds what a client of the API needs. */
function mountToken(spec: PodSpec): void {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const without = containers.filter(
    ({ volumeMounts }) => !volumeMounts?.some(({ mountPath }) => mountPath === TOKEN_PATH),
  );
  if (without.length === 0) return;
  const volume = spec.volumes?.find(isTokenVolume) ?? tokenVolume(generateName(TOKEN_VOLUME));
  if (!spec.volumes?.includes(volume)) spec.volumes = [...(spec.volumes ?? []), volume];
  const mount = { name: volume.name, readOnly: true, mountPath: TOKEN_PATH };
  for (const container of without) container.volumeMounts = [...(container.volumeMounts ?? []), mount];
}

function isTokenVolume({ name, projected }: Volume): boolean {
  return projected !== undefined && name.startsWith(TOKEN_VOLUME);
}

function tokenVolume(name: string): Volume {
  const namespace = { path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } };
  const sources = [
    { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
    { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    { downwardAPI: { items: [namespace] } },
  ];
  return { name, projected: { sources, defaultMode: 0o644 } };
}

function imagePullSecretsOf(account: KubeObject | undefined): readonly LocalObjectReference[] | undefined {
  return (account as { imagePullSecrets?: LocalObjectReference[] } | undefined)?.imagePullSecrets;
}
