import type { Registry } from '../registry/registry.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { accountUser } from '../resources/rbac-subjects.ts';
import { nodes, pods, secrets, serviceAccounts } from '../resources/table-of-resources.ts';
import type { SecretObject } from '../resources/typed.ts';
import type { Claims } from './json-web-tokens.ts';
import { accountGroups, type User } from './users.ts';

/* What a token of a service account says, and whether what it speaks of is still there. */

export interface ObjectClaim {
  readonly name: string;
  readonly uid: string;
}

/** The claim `kubernetes.io` of a bound token. */
export interface BoundClaims {
  readonly namespace: string;
  readonly serviceaccount: ObjectClaim;
  readonly pod?: ObjectClaim;
  readonly node?: ObjectClaim;
  readonly secret?: ObjectClaim;
}

/** Issuer of tokens that live as long as their Secret. */
export const LEGACY_ISSUER = 'kubernetes/serviceaccount';
const LEGACY = 'kubernetes.io/serviceaccount/';
const EXTRA = 'authentication.kubernetes.io/';

export const LEGACY_CLAIMS = {
  namespace: `${LEGACY}namespace`,
  secret: `${LEGACY}secret.name`,
  account: `${LEGACY}service-account.name`,
  accountUid: `${LEGACY}service-account.uid`,
} as const;

export type CheckedClaims =
  | { readonly user: User; readonly problem?: undefined }
  | { readonly problem: string };

/** The user of a bound token; `problem` when something that it is bound to is gone or another. */
export function checkBoundClaims(registry: Registry, claims: Claims): CheckedClaims {
  const bound = claims['kubernetes.io'] as BoundClaims | undefined;
  if (!bound?.serviceaccount) return { problem: 'the token is not bound to a service account' };
  const { namespace, serviceaccount: account, pod, node, secret } = bound;
  const gone = (resource: ResourceDefinition, claim: ObjectClaim | undefined) =>
    claim && !isSame(find(registry, resource, namespace, claim.name), claim.uid);
  if (gone(serviceAccounts, account))
    return { problem: `service account ${namespace}/${account.name} has been deleted` };
  // A pod names its node for information only: it outlives the node's object.
  if (gone(pods, pod) || gone(secrets, secret) || (!pod && gone(nodes, node)))
    return { problem: 'service account token has been invalidated' };
  return { user: accountAsUser(namespace, account, extraOf(claims, bound)) };
}

/** The user of a token that stands in a Secret; `problem` when it does not stand there any more. */
export function checkLegacyClaims(registry: Registry, claims: Claims, token: string): CheckedClaims {
  const text = (key: keyof typeof LEGACY_CLAIMS) => String(claims[LEGACY_CLAIMS[key]] ?? '');
  const [namespace, name, uid] = [text('namespace'), text('account'), text('accountUid')];
  const secret = find(registry, secrets, namespace, text('secret')) as SecretObject | undefined;
  if (!secret || secret.metadata.deletionTimestamp)
    return { problem: 'service account token has been invalidated' };
  if (Buffer.from(secret.data?.['token'] ?? '', 'base64').toString() !== token)
    return { problem: "token doesn't match server's copy" };
  if (!isSame(find(registry, serviceAccounts, namespace, name), uid))
    return { problem: `service account ${namespace}/${name} has been deleted` };
  return { user: accountAsUser(namespace, { name, uid }, undefined) };
}

function find(registry: Registry, resource: ResourceDefinition, namespace: string, name: string) {
  return registry.get(resource, resource.namespaced ? namespace : undefined, name);
}

function isSame(object: KubeObject | undefined, uid: string): boolean {
  return object !== undefined && object.metadata.uid === uid;
}

function accountAsUser(namespace: string, { name, uid }: ObjectClaim, extra: User['extra']): User {
  return {
    name: accountUser(namespace, name),
    uid,
    groups: accountGroups(namespace),
    ...(extra && { extra }),
  };
}

function extraOf({ jti }: Claims, { pod, node }: BoundClaims): NonNullable<User['extra']> {
  return {
    ...(jti && { [`${EXTRA}credential-id`]: [`JTI=${jti}`] }),
    ...(node && { [`${EXTRA}node-name`]: [node.name], [`${EXTRA}node-uid`]: [node.uid] }),
    ...(pod && { [`${EXTRA}pod-name`]: [pod.name], [`${EXTRA}pod-uid`]: [pod.uid] }),
  };
}
