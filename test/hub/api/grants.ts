import type { PolicyRule } from 'kubernetes-types/rbac/v1.d.ts';
import type { TestHub } from './test-hub.ts';

const ROOT = '/apis/rbac.authorization.k8s.io/v1';

/** Makes roles and gives them to somebody, as an administrator. */
export function grants(hub: TestHub) {
  const make = async (path: string, body: object) => {
    const answer = await hub.post(`${ROOT}${path}`, body);
    if (answer.code !== 201) throw new Error(answer.text);
  };
  return {
    /** A ClusterRole. */
    roles: (name: string, rules: readonly PolicyRule[]) =>
      make('/clusterroles', { metadata: { name }, rules }),
    /** Gives the ClusterRole of that name, everywhere or in one namespace. */
    may: (role: string, kind: string, name: string, namespace?: string) => {
      const binding = {
        metadata: { name: `${role}-${name.replaceAll(/[^a-z0-9]/g, '-')}` },
        roleRef: { kind: 'ClusterRole', name: role },
        subjects: [{ kind, name, ...(kind === 'ServiceAccount' && { namespace: namespace ?? 'default' }) }],
      };
      return make(namespace ? `/namespaces/${namespace}/rolebindings` : '/clusterrolebindings', binding);
    },
  };
}
