import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type CertificateHolder, holderOf } from '../security/node-identity.ts';
import type { User } from './users.ts';

export type ShownCertificate =
  | { readonly type: 'none' }
  /** Not signed by the hub's CA, or out of its time, or without a name. */
  | { readonly type: 'invalid' }
  | {
      readonly type: 'valid';
      readonly user: User;
      readonly holder: CertificateHolder;
      /** A connection can outlive the certificate that it was opened with. */
      readonly expiresMs: number;
    };

const shown = new WeakMap<TLSSocket, ShownCertificate>();

/** Whom the client certificate of a connection names: CN is the user, each O a group. Read once per connection. */
export function shownCertificate(socket: Socket): ShownCertificate {
  if (!(socket instanceof TLSSocket)) return { type: 'none' };
  const known = shown.get(socket) ?? readCertificate(socket);
  shown.set(socket, known);
  return known;
}

function readCertificate(socket: TLSSocket): ShownCertificate {
  const certificate = socket.getPeerCertificate();
  if (!certificate?.raw) return { type: 'none' };
  if (!socket.authorized) return { type: 'invalid' };
  const { subject, raw } = certificate;
  const name = [subject?.CN].flat()[0];
  if (!name) return { type: 'invalid' };
  const user = { name, groups: [subject.O ?? []].flat() };
  return { type: 'valid', user, holder: holderOf(raw), expiresMs: Date.parse(certificate.valid_to) };
}
