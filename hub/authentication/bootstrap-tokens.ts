import { createHash, timingSafeEqual } from 'node:crypto';
import type { Registry } from '../registry/registry.ts';
import { secrets } from '../resources/table-of-resources.ts';
import { parseTime } from '../resources/time.ts';
import type { SecretObject } from '../resources/typed.ts';
import type { User } from './users.ts';

/*
 * Kubernetes' own tokens for who is to become a member: Secrets of a type of theirs in kube-system. They let in to the
 * API; to enrol a device takes a join token (hub/security/join-tokens.ts), of which only a hash is kept.
 */

const NAMESPACE = 'kube-system';
const TYPE = 'bootstrap.kubernetes.io/token';
const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const GROUP = 'system:bootstrappers';
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Who holds a bootstrap token; undefined when it is none that lets in now. */
export function bootstrapUser(registry: Registry, token: string, nowMs: number): User | undefined {
  const [, id = '', secret = ''] = TOKEN.exec(token) ?? [];
  if (!id) return undefined;
  const object = registry.get(secrets, NAMESPACE, `bootstrap-token-${id}`) as SecretObject | undefined;
  if (!object || object.type !== TYPE || object.metadata.deletionTimestamp) return undefined;
  const read = (key: string) => Buffer.from(object.data?.[key] ?? '', 'base64').toString();
  if (!isSame(read('token-secret'), secret) || read('token-id') !== id) return undefined;
  if (isExpired(read('expiration'), nowMs) || read('usage-bootstrap-authentication') !== 'true')
    return undefined;
  const groups = read('auth-extra-groups').split(',').filter(Boolean);
  if (groups.some((group) => !EXTRA_GROUP.test(group))) return undefined;
  return { name: `system:bootstrap:${id}`, groups: [GROUP, ...groups] };
}

/** A time that can not be read is one that is over. */
function isExpired(expiration: string, nowMs: number): boolean {
  return expiration !== '' && (parseTime(expiration) ?? 0) <= nowMs;
}

function isSame(left: string, right: string): boolean {
  const [a, b] = [left, right].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
