/**
 * A join token: `HF1<SHA-256 of the hub's CA certificate, hex>::<id>.<secret>`. The hash lets a device that knows
 * nothing yet be sure of the hub; id and secret let the hub be sure of the device.
 */
export interface JoinToken {
  /** SHA-256 of the CA certificate's DER, hex. */
  readonly caHash: string;
  /** `<id>.<secret>`: what is sent, once the hub is known to be the right one. */
  readonly credential: string;
}

const PATTERN = /^HF1([0-9a-f]{64})::([a-z0-9]{6}\.[a-z0-9]{32})$/;

export function formatJoinToken({ caHash, credential }: JoinToken): string {
  return `HF1${caHash}::${credential}`;
}

/** Throws an error that says what a token looks like; the token itself is not in it. */
export function parseJoinToken(text: string): JoinToken {
  const [, caHash, credential] = PATTERN.exec(text.trim()) ?? [];
  if (!caHash || !credential) {
    throw new Error(
      `the join token is malformed: it must look like HF1<64 hex digits>::<id>.<secret>, found ${text.trim().length} ` +
        'other characters; make one with "holdfast token create" on the hub and copy all of it',
    );
  }
  return { caHash, credential };
}
