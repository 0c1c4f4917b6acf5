import type { IncomingMessage } from 'node:http';
import type { Registry } from '../registry/registry.ts';
import { unauthorized } from '../resources/api-error.ts';
import { nodes } from '../resources/table-of-resources.ts';
import {
  type CertificateHolder,
  KEY_ANNOTATION,
  NODES_GROUP,
  nodeOfUser,
} from '../security/node-identity.ts';
import { shownCertificate } from './client-certificate.ts';
import { type TokenContext, verifyToken } from './tokens.ts';
import { ANONYMOUS, authenticated, type User } from './users.ts';

/** Who makes a request; throws 401 for who shows something that is not good. */
export type Authenticate = (request: IncomingMessage) => Promise<User>;

/** By the connection's certificate, else by the request's bearer token; who shows neither is nobody in particular. */
export function authenticator(context: TokenContext): Authenticate {
  return async (request) => {
    const certificate = shownCertificate(request.socket);
    if (certificate.type === 'valid') {
      const { user, holder, expiresMs } = certificate;
      if (expiresMs <= context.now() || !isStillWho(context.registry, user, holder)) throw unauthorized();
      return authenticated(user);
    }
    const token = bearerToken(request.headers.authorization);
    if (token !== undefined) {
      const { user } = await verifyToken(context, token);
      if (!user) throw unauthorized();
      return user;
    }
    if (certificate.type === 'invalid') throw unauthorized();
    return ANONYMOUS;
  };
}

/** Undefined for other schemes, of which there are none. */
function bearerToken(header: string | undefined): string | undefined {
  const [, token] = /^Bearer +(\S+) *$/i.exec(header ?? '') ?? [];
  return token;
}

/** A device is who holds the key that its Node names: one that had the name before is nobody any more. */
function isStillWho(registry: Registry, { name, groups }: User, { keyHash }: CertificateHolder): boolean {
  const node = groups.includes(NODES_GROUP) ? nodeOfUser(name) : undefined;
  if (node === undefined) return true;
  const pinned = registry.get(nodes, undefined, node)?.metadata.annotations?.[KEY_ANNOTATION];
  return pinned === undefined || pinned === keyHash;
}
