import { durationMs } from '../../../fleet/duration.ts';
import { serverRefusal } from '../../../fleet/gate-servers.ts';
import { GATE_SECRET_TYPE, type OutsideServer, type SecretKey } from '../../../fleet/measured-gate.ts';
import type { Registry } from '../../../registry/registry.ts';
import { ownValue } from '../../../resources/object.ts';
import { secrets } from '../../../resources/table-of-resources.ts';
import type { SecretObject } from '../../../resources/typed.ts';
import { askOutside, type OutsideAnswer, type OutsideRequest } from './outside-request.ts';

/** On whose behalf servers are asked. */
export interface Asking {
  readonly registry: Registry;
  readonly namespace: string;
  /** Origins that may be asked. */
  readonly servers: ReadonlySet<string>;
  readonly signal: AbortSignal;
}

/** Asks the server of a gate as its policy says. Rejects with why there is no answer; then nothing is known. */
export async function askServer(
  asking: Asking,
  server: OutsideServer,
  request: Pick<OutsideRequest, 'url' | 'method' | 'headers'> & { readonly body?: string },
): Promise<OutsideAnswer> {
  const refusal = serverRefusal(request.url.href, asking.servers);
  if (refusal) throw new Error(refusal);
  const { tokenSecret, caBundle, timeout } = server;
  const token = tokenSecret && secretText(asking, tokenSecret);
  if (token !== undefined && request.url.protocol !== 'https:')
    throw new Error('a token is not sent by plain HTTP');
  return askOutside({
    ...request,
    headers: { ...request.headers, ...(token !== undefined && { Authorization: `Bearer ${token}` }) },
    ca: caBundle,
    timeoutMs: durationMs(timeout),
    signal: asking.signal,
  });
}

/** Without the end of the line that editors leave. Throws; never with what is in it. */
export function secretText({ registry, namespace }: Asking, { name, key }: SecretKey): string {
  const secret = registry.get(secrets, namespace, name) as SecretObject | undefined;
  if (!secret) throw new Error(`Secret "${name}" is not there`);
  if (secret.type !== GATE_SECRET_TYPE)
    throw new Error(`Secret "${name}" must be of type ${GATE_SECRET_TYPE}, is of type ${secret.type}`);
  const value = ownValue(secret.data ?? {}, key);
  if (value === undefined) throw new Error(`Secret "${name}" has no key "${key}"`);
  const text = Buffer.from(value, 'base64').toString('utf8').trimEnd();
  if (!/^[\x20-\x7e]+$/.test(text))
    throw new Error(`key "${key}" of Secret "${name}" must be one line of text`);
  return text;
}
