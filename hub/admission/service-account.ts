import type { LocalObjectReference } from 'kubernetes-types/core/v1.d.ts';
import type { Registry } from '../registry/registry.ts';
import { forbidden } from '../resources/api-error.ts';
import type { KubeObject } from '../resources/object.ts';
import { pods, serviceAccounts } from '../resources/table-of-resources.ts';
import type { PodObject } from '../resources/typed.ts';
import { creates } from './is-resource.ts';
import type { AdmissionPlugin } from './plugin.ts';

const DEFAULT = 'default';

/**
 * A pod acts as a ServiceAccount of its namespace, which must exist, and pulls its images with that account's secrets
 * unless it names its own. The account `default` may be missing: it comes a moment after its namespace.
 */
export function serviceAccount(registry: Registry): AdmissionPlugin {
  return {
    complete: (request) => {
      if (!creates(request, pods)) return;
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
    },
  };
}

function imagePullSecretsOf(account: KubeObject | undefined): readonly LocalObjectReference[] | undefined {
  return (account as { imagePullSecrets?: LocalObjectReference[] } | undefined)?.imagePullSecrets;
}
