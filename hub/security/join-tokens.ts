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
  /** Whether a person decides about each device that comes with it. */
  readonly approval?: 'manual';
  /** It is for one device, which is to take the place of the present one. */
  readonly replaces?: Replacement;
}

export interface Replacement {
  readonly node: string;
  /** The present device's: KEY_ANNOTATION of the Node when the token was made; empty when there was none. */
  readonly key: string;
}

/** What a token is good for. */
export type TokenTerms = Pick<TokenSettings, 'approval' | 'replaces'> & {
  /** The part of it that may be told. */
  readonly id: string;
};

/** Who comes with a token, and as which node. */
export interface Bearer {
  /** `<id>.<secret>` */
  readonly credential: string;
  readonly node: string;
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
    ...(settings.approval && { approval: settings.approval }),
    ...(settings.replaces && { 'replaces-node': settings.replaces.node }),
    ...(settings.replaces && { 'replaces-key': settings.replaces.key }),
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

/** What the bearer of a token may do with it, if anything; nothing is used up. */
export function readJoinToken(
  registry: Registry,
  bearer: Bearer,
  nowMs: number,
): { readonly terms: TokenTerms } | { readonly refusal: TokenRefusal } {
  const { id, name } = partsOf(bearer);
  const secret = registry.get(secrets, NAMESPACE, name) as SecretObject | undefined;
  const refusal = secret ? refusalOf(secret, bearer, nowMs) : UNKNOWN;
  return secret && refusal === undefined ? { terms: termsOf(secret, id) } : { refusal: refusal ?? UNKNOWN };
}

/** Takes one use of a token; returns why it is refused, or undefined when its bearer may join. */
export async function redeemJoinToken(
  registry: Registry,
  bearer: Bearer,
  nowMs: number,
): Promise<TokenRefusal | undefined> {
  const { name } = partsOf(bearer);
  let refusal: TokenRefusal | undefined;
  if (!registry.get(secrets, NAMESPACE, name)) return UNKNOWN;
  await registry.modify(
    secrets,
    NAMESPACE,
    name,
    (current) => {
      refusal = current ? refusalOf(current as SecretObject, bearer, nowMs) : UNKNOWN;
      if (!current) throw notFound(secrets, name);
      if (refusal) return current;
      return withUse(current as SecretObject);
    },
    { fieldManager: 'holdfast-hub' },
  );
  return refusal;
}

const UNKNOWN = 'the join token is not known here: make one with "holdfast token create"';

function partsOf({ credential }: Bearer): { id: string; value: string; name: string } {
  const [id = '', value = ''] = credential.split('.');
  return { id, value, name: nameOf(id) };
}

function termsOf(secret: SecretObject, id: string): TokenTerms {
  const node = read(secret, 'replaces-node');
  return {
    id,
    ...(read(secret, 'approval') === 'manual' && { approval: 'manual' as const }),
    ...(node !== '' && { replaces: { node, key: read(secret, 'replaces-key') } }),
  };
}

function refusalOf(secret: SecretObject, bearer: Bearer, nowMs: number): TokenRefusal | undefined {
  const { value } = partsOf(bearer);
  if (secret.type !== TYPE || !sameHash(read(secret, 'secret-sha256'), hashOf(value))) return UNKNOWN;
  const expiration = read(secret, 'expiration');
  if (Date.parse(expiration) <= nowMs) {
    return `the join token expired at ${expiration}: make a new one with "holdfast token create"`;
  }
  const node = read(secret, 'replaces-node');
  if (node !== '' && node !== bearer.node)
    return `the join token is for node "${node}" only: join with --node-name ${node}`;
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
