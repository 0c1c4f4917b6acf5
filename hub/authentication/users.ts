import type { Requester } from '../resources/definition.ts';
import { accountUser } from '../resources/rbac-subjects.ts';

export type User = Requester;

export const AUTHENTICATED = 'system:authenticated';
export const UNAUTHENTICATED = 'system:unauthenticated';
const ACCOUNTS_GROUP = 'system:serviceaccounts';
const ACCOUNT_PREFIX = accountUser('', '').slice(0, -1);

/** Who shows nothing. What they may do, roles say, as of anybody. */
export const ANONYMOUS: User = { name: 'system:anonymous', groups: [UNAUTHENTICATED] };

/** Everybody who is known is in a group with all others who are. */
export function authenticated(user: User): User {
  const { groups } = user;
  if (groups.includes(AUTHENTICATED) || groups.includes(UNAUTHENTICATED)) return user;
  return { ...user, groups: [...groups, AUTHENTICATED] };
}

/** The groups of a service account. */
export function accountGroups(namespace: string): string[] {
  return [ACCOUNTS_GROUP, `${ACCOUNTS_GROUP}:${namespace}`];
}

/** The service account that a user is; undefined for anybody else. */
export function accountOf(user: string): { namespace: string; name: string } | undefined {
  if (!user.startsWith(ACCOUNT_PREFIX)) return undefined;
  const [namespace, name, ...rest] = user.slice(ACCOUNT_PREFIX.length).split(':');
  return namespace && name && rest.length === 0 ? { namespace, name } : undefined;
}
