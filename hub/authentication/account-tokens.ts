import { type KeyObject, randomUUID } from 'node:crypto';
import type { Registry } from '../registry/registry.ts';
import type { KubeObject } from '../resources/object.ts';
import { accountUser } from '../resources/rbac-subjects.ts';
import {
  type BoundClaims,
  checkBoundClaims,
  checkLegacyClaims,
  LEGACY_CLAIMS,
  LEGACY_ISSUER,
} from './account-claims.ts';
import { JsonWebTokens } from './json-web-tokens.ts';
import type { TokenOutcome } from './tokens.ts';

export interface AccountTokensOptions {
  readonly registry: Registry;
  /** P-256: signs tokens. */
  readonly key: KeyObject;
  /** The claim `iss`, by which others find the keys. */
  readonly issuer: string;
  readonly now: () => number;
}

export interface BoundTokenRequest {
  readonly audiences: readonly string[];
  readonly lifeSeconds: number;
  readonly bound: BoundClaims;
}

/** The tokens with which service accounts are clients of this API, or show others who they are. */
export class AccountTokens {
  readonly issuer: string;
  readonly #registry: Registry;
  readonly #tokens: JsonWebTokens;
  readonly #now: () => number;

  private constructor({ registry, issuer, now }: AccountTokensOptions, tokens: JsonWebTokens) {
    this.issuer = issuer;
    this.#registry = registry;
    this.#tokens = tokens;
    this.#now = now;
  }

  static async open(options: AccountTokensOptions): Promise<AccountTokens> {
    return new AccountTokens(options, await JsonWebTokens.open(options.key, options.now));
  }

  /** Whom a token must be meant for to be taken here, and whom it is meant for when nothing else is asked. */
  get audiences(): readonly string[] {
    return [this.issuer];
  }

  get publicKeys(): JsonWebTokens['publicKeys'] {
    return this.#tokens.publicKeys;
  }

  get algorithm(): string {
    return this.#tokens.algorithm;
  }

  /** A token that is good until its time is over or what it is bound to is gone. */
  async issue({
    audiences,
    lifeSeconds,
    bound,
  }: BoundTokenRequest): Promise<{ token: string; expiresMs: number }> {
    const now = Math.floor(this.#now() / 1000);
    const token = await this.#tokens.sign({
      aud: [...audiences],
      exp: now + lifeSeconds,
      iat: now,
      iss: this.issuer,
      jti: randomUUID(),
      'kubernetes.io': bound,
      nbf: now,
      sub: accountUser(bound.namespace, bound.serviceaccount.name),
    });
    return { token, expiresMs: (now + lifeSeconds) * 1000 };
  }

  /** A token that is good as long as it stands in this Secret. */
  issueLegacy(account: KubeObject, secret: string): Promise<string> {
    const { namespace = '', name = '', uid = '' } = account.metadata;
    return this.#tokens.sign({
      iss: LEGACY_ISSUER,
      sub: accountUser(namespace, name),
      [LEGACY_CLAIMS.namespace]: namespace,
      [LEGACY_CLAIMS.secret]: secret,
      [LEGACY_CLAIMS.account]: name,
      [LEGACY_CLAIMS.accountUid]: uid,
    });
  }

  /** Undefined for what is no token of this hub; `audiences` are those for one of which it must be meant. */
  async verify(token: string, audiences: readonly string[]): Promise<TokenOutcome | undefined> {
    if (token.split('.').length !== 3) return undefined;
    const claims = await this.#tokens.verify(token);
    if (!claims) return { problem: 'invalid bearer token' };
    if (claims.iss === LEGACY_ISSUER) {
      const checked = checkLegacyClaims(this.#registry, claims, token);
      // They were made before there were audiences: they are meant for this API alone.
      return checked.problem === undefined ? meantFor(checked.user, this.audiences, audiences) : checked;
    }
    if (claims.iss !== this.issuer) return { problem: 'invalid bearer token' };
    const checked = checkBoundClaims(this.#registry, claims);
    if (checked.problem !== undefined) return checked;
    return meantFor(checked.user, [claims.aud ?? []].flat(), audiences);
  }
}

function meantFor(
  user: NonNullable<TokenOutcome['user']>,
  of: readonly string[],
  wanted: readonly string[],
): TokenOutcome {
  const audiences = wanted.filter((each) => of.includes(each));
  if (audiences.length > 0) return { user, audiences };
  const texts = [of, wanted].map((list) => JSON.stringify(list));
  return { problem: `token audiences ${texts[0]} is invalid for the target audiences ${texts[1]}` };
}
