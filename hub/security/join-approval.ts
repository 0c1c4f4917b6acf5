import type { CertificateSigningRequestObject } from '../resources/typed.ts';

/* A device whose join token asks for approval is a CertificateSigningRequest to this signer until somebody has decided. */

/** To approve a request to it is to make the device a node: a certificate to be a client of the API would not be enough. */
export const JOIN_SIGNER = 'holdfast.dev/device';
export const JOIN_USAGES = ['client auth', 'digital signature'] as const;
/** Of the request: with which token the device came. */
export const JOIN_TOKEN_LABEL = 'holdfast.dev/join-token';
/** In `spec.extra`, which no client can write: the device's X25519 key, SPKI DER in base64. */
export const SEALING_KEY_EXTRA = 'holdfast.dev/sealing-key';

export type JoinVerdict = 'pending' | 'approved' | 'issued' | 'denied' | 'failed';

/** Where a request is; `approved` is short: the hub is about to issue the certificate. */
export function joinVerdict({ status }: Pick<CertificateSigningRequestObject, 'status'>): JoinVerdict {
  const has = (type: string) => status?.conditions?.some((each) => each.type === type) ?? false;
  if (has('Denied')) return 'denied';
  if (has('Failed')) return 'failed';
  if (status?.certificate) return 'issued';
  return has('Approved') ? 'approved' : 'pending';
}
