import type { EnrolRequest } from './gen/holdfast/v1/enrolment_pb.ts';

/** The bytes that a device signs with its key to show that it holds it: bound to this token, name and sealing key. */
export function enrolmentProof(
  request: Pick<EnrolRequest, 'token' | 'nodeName' | 'publicKey' | 'sealingKey'>,
): Uint8Array {
  const parts = [
    Buffer.from(request.token),
    Buffer.from(request.nodeName),
    request.publicKey,
    request.sealingKey,
  ];
  const lengthPrefixed = parts.flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return Buffer.concat([Buffer.from('holdfast/v1/enrol\0'), ...lengthPrefixed]);
}
