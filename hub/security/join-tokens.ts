import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import type { Registry } from '../registry/registry.ts';
import { notFound } from '../resources/api-error.ts';
import type { KubeObject } from '../resources/object.ts';
import { secrets } from '../resources/table-of-resources.ts';
import type { SecretObject } from '../resources/typed.ts';

/*
 * Join tokens are Secrets of a type of their own in kube-system, so that kubectl can list and delete them. Only the hash
 * of a token's secret is kept: who can read the store cannot join.
 */

const NAMESPACE = 'kube-system';
const TYPE = 'holdfast.dev/join-token';
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';
const ID_LENGTH = 6;
const SECRET_LENGTH = 32;

export interface TokenSettings {
  readonly ttlMs: number;
  /** How many devices may join with it. */
  readonly uses: number;
  readonly description: string;
}

/** Why a token does not let its bearer in: a sentence for the person who made it. */
export type TokenRefusal = string;

/** A new token: what is given out, and the Secret to store for it. */
export function newJoinToken(
  settings: TokenSettings,
  nowMs: number,
): { credential: string; secret: KubeObject } {
  const id = randomText(ID_LENGTH);
  const value = randomText(SECRET_LENGTH);
  const data = {
    'secret-sha256': hashOf(value),
    expiration: new Date(nowMs + settings.ttlMs).toISOString(),
    'uses-left': String(settings.uses),
    description: settings.description,
  };
  return {
    credential: `${id}.${value}`,
    secret: {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: nameOf(id), namespace: NAMESPACE },
      type: TYPE,
      stringData: data,
    },
  };
}

/** Takes one use of a token; returns why it is refused, or undefined when its bearer may join. */
export async function redeemJoinToken(
  registry: Registry,
  credential: string,
  nowMs: number,
): Promise<TokenRefusal | undefined> {
  const [id = '', value = ''] = credential.split('.');
  let refusal: TokenRefusal | undefined;
  if (!registry.get(secrets, NAMESPACE, nameOf(id))) return UNKNOWN;
  await registry.modify(
    secrets,
    NAMESPACE,
    nameOf(id),
    (current) => {
      refusal = current ? refusalOf(current as SecretObject, value, nowMs) : UNKNOWN;
      if (!current) throw notFound(secrets, nameOf(id));
      if (refusal) return current;
      return withUse(current as SecretObject);
    },
    { fieldManager: 'holdfast-hub' },
  );
  return refusal;
}

const UNKNOWN = 'the join token is not known here: make one with "holdfast token create"';

function refusalOf(secret: SecretObject, value: string, nowMs: number): TokenRefusal | undefined {
  if (secret.type !== TYPE || !sameHash(read(secret, 'secret-sha256'), hashOf(value))) return UNKNOWN;
  const expiration = read(secret, 'expiration');
  if (Date.parse(expiration) <= nowMs) {
    return `the join token expired at ${expiration}: make a new one with "holdfast token create"`;
  }
  if (Number(read(secret, 'uses-left')) > 0) return undefined;
  return 'the join token has been used as often as it may be: make a new one with "holdfast token create"';
}

function withUse(secret: SecretObject): SecretObject {
  const left = String(Number(read(secret, 'uses-left')) - 1);
  return { ...secret, data: { ...secret.data, 'uses-left': Buffer.from(left).toString('base64') } };
}

function read(secret: SecretObject, key: string): string {
  return Buffer.from(secret.data?.[key] ?? '', 'base64').toString();
}

function nameOf(id: string): string {
  return `join-token-${/^[a-z0-9]{1,16}$/.test(id) ? id : 'malformed'}`;
}

function hashOf(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}

function sameHash(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function randomText(length: number): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
