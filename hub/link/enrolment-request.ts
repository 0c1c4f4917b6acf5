import { createPublicKey, verify } from 'node:crypto';
import { enrolmentProof } from '../../proto/enrolment-proof.ts';
import type { EnrolRequest } from '../../proto/gen/holdfast/v1/enrolment_pb.ts';
import { subdomainNameErrors } from '../resources/names.ts';
import type { TokenTerms } from '../security/join-tokens.ts';
import { isRevokedKey } from '../security/node-identity.ts';

/** Enrolment was refused: the message is for the person at the device. */
export class EnrolmentRefused extends Error {
  readonly reason: 'unauthenticated' | 'invalid' | 'exists' | 'denied' | 'full';

  constructor(reason: EnrolmentRefused['reason'], message: string) {
    super(message);
    this.name = 'EnrolmentRefused';
    this.reason = reason;
  }
}

/** Throws EnrolmentRefused for what no device of ours would send. */
export function checkRequest(request: EnrolRequest): void {
  const { nodeName, publicKey, sealingKey, proof } = request;
  if (subdomainNameErrors(nodeName).length > 0) {
    throw new EnrolmentRefused(
      'invalid',
      `"${nodeName}" cannot be a node's name: it must be a DNS subdomain`,
    );
  }
  if (keyType(publicKey) !== 'ec' || keyType(sealingKey) !== 'x25519') {
    throw new EnrolmentRefused('invalid', 'the keys of the request must be ECDSA P-256 and X25519, SPKI DER');
  }
  const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
  if (!verify('sha256', enrolmentProof(request), key, proof)) {
    throw new EnrolmentRefused('invalid', 'the proof of the request is not signed by its key');
  }
}

function keyType(spki: Uint8Array): string | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).asymmetricKeyType;
  } catch {
    return undefined;
  }
}

/** Why a device with this key may not have the name; undefined when it may. Pure. */
export function nameProblem(
  node: string,
  known: string | undefined,
  hash: string,
  { replaces }: Pick<TokenTerms, 'replaces'>,
): string | undefined {
  if (known === undefined || known === hash) return undefined;
  if (!replaces)
    return (
      `node "${node}" is enrolled with another key: choose another --node-name, or, if this device replaces it, ` +
      `join with the token of "holdfast node replace ${node}"`
    );
  // The token is for the place of the device that had it then. One that was revoked since has lost it anyway.
  if (replaces.key === known || isRevokedKey(known)) return undefined;
  return `node "${node}" has had another device since this token was made: make a new one with "holdfast node replace ${node}"`;
}
