import type { Registry } from '../registry/registry.ts';
import type { AccountTokens } from './account-tokens.ts';
import { bootstrapUser } from './bootstrap-tokens.ts';
import { authenticated, type User } from './users.ts';

/** Who a token's bearer is and for which audiences it is meant, or why it is not taken. */
export type TokenOutcome =
  | { readonly user: User; readonly audiences: readonly string[]; readonly problem?: undefined }
  | { readonly problem: string; readonly user?: undefined };

export interface TokenContext {
  readonly registry: Registry;
  readonly accountTokens: AccountTokens;
  readonly now: () => number;
}

/** Whose token this is. `audiences` are those for one of which it must be meant: by default, this API. */
export async function verifyToken(
  { registry, accountTokens, now }: TokenContext,
  token: string,
  audiences: readonly string[] = accountTokens.audiences,
): Promise<TokenOutcome> {
  const outcome = (await accountTokens.verify(token, audiences)) ?? bootstrap(registry, token, now());
  if (outcome.problem !== undefined) return outcome;
  // A token that knows of no audiences is meant for this API.
  const meant = outcome.audiences.length > 0 ? outcome.audiences : accountTokens.audiences;
  return { user: authenticated(outcome.user), audiences: meant };
}

function bootstrap(registry: Registry, token: string, nowMs: number): TokenOutcome {
  const user = bootstrapUser(registry, token, nowMs);
  return user ? { user, audiences: [] } : { problem: 'invalid bearer token' };
}
