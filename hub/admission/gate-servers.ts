import { serverRefusal } from '../fleet/gate-servers.ts';
import { type RolloutPolicyObject, rolloutPolicies } from '../fleet/rollout-policy.ts';
import type { FieldError } from '../resources/api-error.ts';
import { invalid } from '../resources/api-error.ts';
import { forbiddenField } from '../resources/field-errors.ts';
import { writes } from './is-resource.ts';
import type { AdmissionPlugin } from './plugin.ts';

/** Gates may ask only servers that whoever runs the hub has named: else each who writes policies could send it anywhere. */
export function gateServersOf(servers: ReadonlySet<string>): AdmissionPlugin {
  return {
    check: (request) => {
      if (!writes(request, rolloutPolicies)) return;
      const { metadata, spec } = request.object as RolloutPolicyObject;
      const errors = (spec?.gates?.measured ?? []).flatMap(({ prometheus, webhook }, index) => [
        ...urlErrors(prometheus?.url, `spec.gates.measured[${index}].prometheus.url`, servers),
        ...urlErrors(webhook?.url, `spec.gates.measured[${index}].webhook.url`, servers),
      ]);
      const { group, kind } = rolloutPolicies;
      if (errors.length > 0) throw invalid(group, kind, metadata.name ?? '', errors);
    },
  };
}

/** What is no URL is refused by the kind itself. */
function urlErrors(url: string | undefined, field: string, servers: ReadonlySet<string>): FieldError[] {
  if (url === undefined || !URL.canParse(url)) return [];
  const refusal = serverRefusal(url, servers);
  return refusal === undefined ? [] : [forbiddenField(field, refusal)];
}
