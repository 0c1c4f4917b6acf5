import { ApiError } from '../resources/api-error.ts';
import { ANONYMOUS, AUTHENTICATED, accountGroups, accountOf, UNAUTHENTICATED, type User } from './users.ts';

const GROUP = 'authentication.k8s.io';
const EXTRA_PREFIX = 'impersonate-extra-';

/** All values of each header, by its name in lower case. */
export type Headers = Readonly<Record<string, readonly string[] | undefined>>;

/** One of the things that somebody must be allowed to `impersonate`. */
export interface Impersonated {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name: string;
}

export interface Impersonation {
  /** Who the request is made as. */
  readonly user: User;
  /** In Kubernetes' order. */
  readonly needs: readonly Impersonated[];
}

/** As whom a request is to be made; undefined when it is made as oneself. Throws 500, as Kubernetes does, without a user. */
export function impersonationOf(headers: Headers): Impersonation | undefined {
  const name = headers['impersonate-user']?.[0] ?? '';
  const groups = headers['impersonate-group'] ?? [];
  const uid = headers['impersonate-uid']?.[0] ?? '';
  const extra = extraOf(headers);
  const needs = [
    ...(name ? [whom(name)] : []),
    ...groups.map((group) => ({ group: '', resource: 'groups', name: group })),
    ...Object.entries(extra).flatMap(([key, values]) =>
      values.map((value) => ({ group: GROUP, resource: 'userextras', subresource: key, name: value })),
    ),
    ...(uid ? [{ group: GROUP, resource: 'uids', name: uid }] : []),
  ];
  if (needs.length === 0) return undefined;
  if (!name) throw withoutUser(needs);
  const user = {
    name,
    groups: groupsOf(name, groups),
    ...(uid && { uid }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
  return { user, needs };
}

function whom(name: string): Impersonated {
  const account = accountOf(name);
  return account
    ? { group: '', resource: 'serviceaccounts', ...account }
    : { group: '', resource: 'users', name };
}

function withoutUser(needs: readonly Impersonated[]): ApiError {
  const list = needs.map(({ resource, name }) => `${resource} ${JSON.stringify(name)}`).join(', ');
  return new ApiError(
    500,
    'InternalError',
    `Internal error occurred: requested [${list}] without impersonating a user`,
  );
}

/** Those that were asked for; without any, those that the user has by nature. */
function groupsOf(name: string, groups: readonly string[]): string[] {
  const account = accountOf(name);
  const own = groups.length === 0 && account ? accountGroups(account.namespace) : [...groups];
  if (own.includes(AUTHENTICATED) || own.includes(UNAUTHENTICATED)) return own;
  return [...own, name === ANONYMOUS.name ? UNAUTHENTICATED : AUTHENTICATED];
}

function extraOf(headers: Headers): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const [header, values = []] of Object.entries(headers))
    if (header.startsWith(EXTRA_PREFIX)) extra[unescaped(header.slice(EXTRA_PREFIX.length))] = [...values];
  return extra;
}

/** Keys can hold what headers can not: it is percent-encoded. */
function unescaped(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
