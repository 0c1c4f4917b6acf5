import { type KeyObject, sign } from 'node:crypto';

/*
 * A request for a certificate (PKCS #10), which is little: a name and a key, signed with it. DER, X.690: each value is
 * its tag, its length, its content.
 */

const TAGS = {
  integer: 0x02,
  bitString: 0x03,
  identifier: 0x06,
  utf8: 0x0c,
  sequence: 0x30,
  set: 0x31,
  attributes: 0xa0,
};
const IDENTIFIERS = {
  commonName: [0x55, 0x04, 0x03],
  organization: [0x55, 0x04, 0x0a],
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
};
/** Lengths up to this are one byte. */
const SHORT_LENGTH = 0x7f;

/** For the device of a node, in DER. `publicKey` is the SPKI DER of `key`, which is on P-256. */
export function certificateRequest(node: string, key: KeyObject, publicKey: Uint8Array): Buffer {
  const subject = der(
    'sequence',
    named('organization', 'system:nodes'),
    named('commonName', `system:node:${node}`),
  );
  const info = der('sequence', der('integer', Buffer.of(0)), subject, publicKey, der('attributes'));
  const algorithm = der('sequence', identifier('ecdsaWithSha256'));
  const signature = Buffer.concat([Buffer.of(0), sign('sha256', info, key)]); // none of its last bits is unused
  return der('sequence', info, algorithm, der('bitString', signature));
}

function named(type: 'commonName' | 'organization', value: string): Buffer {
  return der('set', der('sequence', identifier(type), der('utf8', Buffer.from(value))));
}

function identifier(name: keyof typeof IDENTIFIERS): Buffer {
  return der('identifier', Buffer.from(IDENTIFIERS[name]));
}

function der(tag: keyof typeof TAGS, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(TAGS[tag], ...lengthOf(content)), content]);
}

function lengthOf({ length }: Buffer): readonly number[] {
  if (length <= SHORT_LENGTH) return [length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left >>= 8) bytes.unshift(left & 0xff);
  return [0x80 | bytes.length, ...bytes];
}
