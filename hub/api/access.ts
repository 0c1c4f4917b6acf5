import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { ApiError, forbidden } from '../resources/api-error.ts';
import type { ResourceRequest } from './request-info.ts';

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** What a request is about, for deciding whether it may be done. */
export type Action =
  | ({ readonly type: 'resource' } & ResourceRequest)
  | { readonly type: 'path'; readonly verb: string; readonly path: string };

/** Whether `user` may do it. The one seam where RBAC goes. */
export type Authorizer = (user: User, action: Action) => boolean;

const ADMINISTRATORS = 'system:masters';
const AUTHENTICATED = 'system:authenticated';
/** Answered to anybody: they tell nothing about the cluster, and probes have no certificate. */
const OPEN_PATHS = new Set(['/healthz', '/livez', '/readyz', '/version', '/version/']);
/** What any client must read before it can do what it may. */
const COMMON_PATHS = /^\/(api|apis|openapi)(\/|$)/;

/** Who holds the verified client certificate of this connection; undefined without one. */
export function authenticate(socket: Socket): User | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { subject } = socket.getPeerCertificate();
  const name = [subject?.CN].flat()[0];
  if (!name) return undefined;
  return { name, groups: [...[subject.O ?? []].flat(), AUTHENTICATED] };
}

/** Acting as somebody else is not to be had yet; it must not be ignored, or it would be done as oneself. */
export function refuseImpersonation(user: User, headers: IncomingHttpHeaders): void {
  const header = Object.keys(headers).find((name) => name.startsWith('impersonate-'));
  if (header === undefined) return;
  const as = [headers['impersonate-user'] ?? ''].flat().join();
  const why = `User "${user.name}" cannot impersonate resource "users" in API group "" at the cluster scope`;
  throw forbidden({ group: '', plural: 'users' }, as, why);
}

export function isOpen(path: string): boolean {
  return OPEN_PATHS.has(path);
}

export const administratorsOnly: Authorizer = (user, action) =>
  user.groups.includes(ADMINISTRATORS) || (action.type === 'path' && COMMON_PATHS.test(action.path));

/** The 403 for what `user` may not do, in the words that clients show. */
export function refusal(user: User, action: Action): ApiError {
  if (action.type === 'path') {
    const message = `forbidden: User "${user.name}" cannot ${action.verb} path "${action.path}"`;
    return new ApiError(403, 'Forbidden', message, {});
  }
  const { resource, verb, namespace, name = '', subresource } = action;
  const what = subresource ? `${resource.plural}/${subresource}` : resource.plural;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  return forbidden(
    resource,
    name,
    `User "${user.name}" cannot ${verb} resource "${what}" in API group "${resource.group}" ${where}`,
  );
}
