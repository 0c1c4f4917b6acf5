import type { Registry } from '../registry/registry.ts';
import { nodes, pods, serviceAccounts } from '../resources/table-of-resources.ts';
import type { PodObject } from '../resources/typed.ts';
import type { ObjectClaim } from './account-claims.ts';
import type { AccountTokens } from './account-tokens.ts';

export interface PodTokenRequest {
  readonly podUid: string;
  /** Empty: this hub's API. */
  readonly audience: string;
  readonly expirationSeconds: number;
}

export type PodToken = { readonly token: string } | { readonly refusal: string };

/** A token for a pod of the node, bound to it: nothing but what the pod itself asks for. */
export async function podToken(
  registry: Registry,
  tokens: Pick<AccountTokens, 'audiences' | 'issue'>,
  nodeName: string,
  { podUid, audience, expirationSeconds: lifeSeconds }: PodTokenRequest,
): Promise<PodToken> {
  const bound = registry.byIndex(pods, 'spec.nodeName', nodeName) as readonly PodObject[];
  const pod = bound.find(({ metadata }) => metadata.uid === podUid);
  if (!pod) return { refusal: 'the pod is not on this node' };
  if (!asks(pod, audience, lifeSeconds)) return { refusal: 'the pod does not ask for such a token' };
  const { namespace = '' } = pod.metadata;
  const { serviceAccountName = '' } = pod.spec;
  const account = registry.get(serviceAccounts, namespace, serviceAccountName);
  if (!account) return { refusal: `serviceaccounts "${serviceAccountName}" not found` };
  const node = registry.get(nodes, undefined, nodeName);
  const { token } = await tokens.issue({
    audiences: audience ? [audience] : tokens.audiences,
    lifeSeconds,
    bound: {
      namespace,
      serviceaccount: claimOf(account),
      pod: claimOf(pod),
      ...(node && { node: claimOf(node) }),
    },
  });
  return { token };
}

function asks({ spec }: PodObject, wanted: string, seconds: number): boolean {
  const projections = (spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
  return projections.some(({ serviceAccountToken: token }) => {
    if (!token) return false;
    const { audience = '', expirationSeconds } = token;
    return audience === wanted && expirationSeconds === seconds;
  });
}

function claimOf({ metadata: { name = '', uid = '' } }: { metadata: Partial<ObjectClaim> }): ObjectClaim {
  return { name, uid };
}
