import { X509Certificate } from 'node:crypto';

const NODE_USER = /^CN=system:node:(.+)$/m;

/**
 * The node that a certificate is of, when the hub's CA has issued it and it is good now; undefined for all others. Devices have
 * certificates for clients: as servers they are recognized by this, not by TLS.
 */
export function nodeOfPeer(raw: Uint8Array, ca: string, nowMs: number): string | undefined {
  const [certificate, issuer] = [new X509Certificate(raw), new X509Certificate(ca)];
  const isGood =
    certificate.checkIssued(issuer) &&
    certificate.verify(issuer.publicKey) &&
    certificate.validFromDate.getTime() <= nowMs &&
    nowMs <= certificate.validToDate.getTime();
  return isGood ? NODE_USER.exec(certificate.subject)?.[1] : undefined;
}
