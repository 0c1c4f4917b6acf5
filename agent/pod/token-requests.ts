import type { ServiceAccountTokenProjection } from 'kubernetes-types/core/v1.d.ts';
import type { Pod } from './pod.ts';

/* Which tokens of its service account a pod asks for. Pure. */

export interface TokenRequest {
  /** Whom it is meant for; empty: the hub's API. */
  readonly audience: string;
  readonly expirationSeconds: number;
}

/** Kubernetes' default, for pods that did not pass an API server. */
const DEFAULT_SECONDS = 3_600;

/** The same for requests that one token answers. */
export function tokenKey(request: Partial<TokenRequest>): string {
  const { audience, expirationSeconds } = tokenRequest(request);
  return `${expirationSeconds} ${audience}`;
}

/** Each once, in the order of the volumes. */
export function tokenRequestsOf({ spec }: Pod): TokenRequest[] {
  const projections = (spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
  const requests = projections.flatMap(({ serviceAccountToken }) =>
    serviceAccountToken ? [tokenRequest(serviceAccountToken)] : [],
  );
  return [...new Map(requests.map((request) => [tokenKey(request), request])).values()];
}

/** For people: `for "vault" `, or nothing. */
export function audienceOf({ audience }: Pick<ServiceAccountTokenProjection, 'audience'>): string {
  return audience ? `for "${audience}" ` : '';
}

function tokenRequest({ audience = '', expirationSeconds = DEFAULT_SECONDS }: Partial<TokenRequest>) {
  return { audience, expirationSeconds };
}
