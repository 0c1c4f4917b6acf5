import { parseTime } from '../../resources/time.ts';
import type { CertificateSigningRequestObject } from '../../resources/typed.ts';

const HOUR_MS = 3_600_000;
const DECIDED_MS = HOUR_MS;
const PENDING_MS = 24 * HOUR_MS;

/** When a request is of no more use to anybody, in milliseconds since the epoch. */
export function expiryOf({ metadata, status }: CertificateSigningRequestObject): number {
  const conditions = status?.conditions ?? [];
  const decided = conditions.map(({ lastUpdateTime }) => parseTime(lastUpdateTime));
  const times = decided.filter((atMs) => atMs !== undefined);
  if (times.length > 0) return Math.max(...times) + DECIDED_MS;
  return (parseTime(metadata.creationTimestamp) ?? 0) + PENDING_MS;
}
