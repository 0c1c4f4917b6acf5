import type { AccountTokens } from '../authentication/account-tokens.ts';
import type { Authenticate } from '../authentication/authenticate.ts';
import { type Headers, impersonationOf } from '../authentication/impersonation.ts';
import type { TokenOutcome } from '../authentication/tokens.ts';
import type { User } from '../authentication/users.ts';
import { type Attributes, type Authorizer, refusal } from '../authorization/attributes.ts';
import type { WriteCheck } from '../authorization/write-checks.ts';
import type { KubeObject } from '../resources/object.ts';
import type { Asking } from './exchange.ts';
import type { ResourceRequest } from './request-info.ts';

/** Who comes in, and what they may do. */
export interface Access {
  readonly authenticate: Authenticate;
  readonly authorizer: Authorizer;
  /** Asked before a write of somebody who may write such objects: whether they may write this. */
  readonly checkWrite: WriteCheck;
  readonly accountTokens: AccountTokens;
  /** Whose token it is, for who asks on another's behalf. */
  readonly verifyToken: (token: string, audiences: readonly string[] | undefined) => Promise<TokenOutcome>;
}

/** Throws 403 for what `user` may not do. */
export function authorize(authorizer: Authorizer, user: User, attributes: Attributes): void {
  const { allowed, reason } = authorizer.authorize(user, attributes);
  if (!allowed) throw refusal(user, attributes, reason);
}

/** As whom a request is made: who it is from, or who that may act as and wants to. Throws 403. */
export function actingUser(authorizer: Authorizer, user: User, headers: Headers): User {
  const impersonation = impersonationOf(headers);
  if (!impersonation) return user;
  for (const need of impersonation.needs)
    authorize(authorizer, user, { type: 'resource', verb: 'impersonate', ...need });
  return impersonation.user;
}

/** A write by its target, as the checks want it told. Throws what they refuse. */
export function checkWrite(
  { context, user }: Asking,
  { resource, subresource, namespace, name }: ResourceRequest,
  object: KubeObject | undefined,
  old: KubeObject | undefined,
): void {
  context.access.checkWrite({
    operation: object === undefined ? 'DELETE' : old === undefined ? 'CREATE' : 'UPDATE',
    user,
    resource,
    name: name ?? object?.metadata.name ?? '',
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace }),
    ...(object && { object }),
    ...(old && { old }),
  });
}
