import type { KeyObject } from 'node:crypto';
import type { Access } from './api/access.ts';
import { AccountTokens } from './authentication/account-tokens.ts';
import { authenticator } from './authentication/authenticate.ts';
import { verifyToken } from './authentication/tokens.ts';
import { checkAgentReleaseWriters } from './authorization/agent-release-writers.ts';
import { Authorizers, administratorsAuthorizer } from './authorization/authorizers.ts';
import { checkEscalation } from './authorization/escalation.ts';
import { NodeAuthorizer } from './authorization/node-authorizer.ts';
import { checkNodeRestriction } from './authorization/node-restriction.ts';
import { RbacAuthorizer } from './authorization/rbac-authorizer.ts';
import { checkSignerPermissions } from './authorization/signer-permissions.ts';
import type { Registry } from './registry/registry.ts';

/** By what name others know this cluster's tokens, unless it is told another: as most clusters are set up. */
export const DEFAULT_ISSUER = 'https://kubernetes.default.svc.cluster.local';

export interface AccessOptions {
  readonly registry: Registry;
  /** P-256: signs the tokens of service accounts. */
  readonly tokenKey: KeyObject;
  readonly issuer?: string;
  readonly now?: () => number;
}

/** Builds what decides who comes in to the API and what they may do there. */
export async function openAccess({
  registry,
  tokenKey,
  issuer = DEFAULT_ISSUER,
  now = Date.now,
}: AccessOptions): Promise<Access> {
  const accountTokens = await AccountTokens.open({ registry, key: tokenKey, issuer, now });
  const context = { registry, accountTokens, now };
  const rbac = new RbacAuthorizer(registry);
  const authorizer = new Authorizers([administratorsAuthorizer, new NodeAuthorizer(registry), rbac]);
  return {
    authenticate: authenticator(context),
    authorizer,
    checkWrite: (write) => {
      checkNodeRestriction(registry, write);
      checkEscalation({ authorizer, rbac }, write);
      checkSignerPermissions(authorizer, write);
      checkAgentReleaseWriters(authorizer, write);
    },
    accountTokens,
    verifyToken: (token, audiences) => verifyToken(context, token, audiences),
  };
}
