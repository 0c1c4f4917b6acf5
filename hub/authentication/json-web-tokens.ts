import { createPublicKey, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, type JWK, type JWTPayload, jwtVerify, SignJWT } from 'jose';

const ALGORITHM = 'ES256';
/** Clocks of a hub and of who made a token may differ; ours is the same one. */
const TOLERANCE = '60s';
const MOST_REMEMBERED = 4_096;

/** Signed by the hub and not out of its time. */
export type Claims = JWTPayload;

/** Signs and verifies tokens with one P-256 key. Verified tokens are remembered: a client sends its own with each request. */
export class JsonWebTokens {
  readonly #key: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #jwk: JWK;
  readonly #verified = new Map<string, Claims>(); // signatures only: times are looked at again each time
  readonly #now: () => number;

  private constructor(key: KeyObject, publicKey: KeyObject, jwk: JWK, now: () => number) {
    this.#key = key;
    this.#publicKey = publicKey;
    this.#jwk = jwk;
    this.#now = now;
  }

  static async open(key: KeyObject, now: () => number): Promise<JsonWebTokens> {
    const publicKey = createPublicKey(key);
    const jwk = await exportJWK(publicKey);
    const kid = await calculateJwkThumbprint(jwk);
    return new JsonWebTokens(key, publicKey, { ...jwk, kid, use: 'sig', alg: ALGORITHM }, now);
  }

  /** For who verifies tokens elsewhere. */
  get publicKeys(): { readonly keys: readonly JWK[] } {
    return { keys: [this.#jwk] };
  }

  get algorithm(): string {
    return ALGORITHM;
  }

  sign(claims: Claims): Promise<string> {
    return new SignJWT(claims)
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#jwk.kid ?? '' })
      .sign(this.#key);
  }

  /** The claims of a token that this hub signed and whose time it is; undefined for any other. */
  async verify(token: string): Promise<Claims | undefined> {
    const known = this.#verified.get(token);
    if (known) return this.#isInTime(known) ? known : undefined;
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        algorithms: [ALGORITHM],
        currentDate: new Date(this.#now()),
        clockTolerance: TOLERANCE,
      });
      this.#remember(token, payload);
      return this.#isInTime(payload) ? payload : undefined;
    } catch {
      return undefined;
    }
  }

  #isInTime({ exp }: Claims): boolean {
    return exp === undefined || this.#now() / 1000 < exp;
  }

  #remember(token: string, claims: Claims): void {
    const [oldest] = this.#verified.keys();
    if (this.#verified.size >= MOST_REMEMBERED && oldest !== undefined) this.#verified.delete(oldest);
    this.#verified.set(token, claims);
  }
}
