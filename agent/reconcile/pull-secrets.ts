import type { Secret } from '../pod/pod.ts';
import { type ActionContext, type Execution, record } from './execution.ts';

/** What the pod names for its images. One that is missing may not be needed. */
export function pullSecretsOf(execution: Execution, context: ActionContext): Secret[] {
  const { pod } = context;
  const names = (pod?.spec.imagePullSecrets ?? []).flatMap(({ name }) => name || []);
  const found = names.map((name) => execution.desired.secret(pod?.metadata.namespace ?? '', name));
  const missing = names.filter((_, index) => !found[index]);
  if (missing.length > 0)
    record(
      execution,
      context,
      '',
      'Warning',
      'FailedToRetrieveImagePullSecret',
      `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`,
    );
  return found.filter((secret) => secret !== undefined);
}
