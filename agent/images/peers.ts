import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Identity } from '../state/agent-state.ts';
import { nodeOfPeer } from './peer-identity.ts';

/** A device of the same site that gives layers. */
export interface Peer {
  readonly node: string;
  readonly address: string;
  readonly port: number;
}

/** In the same network an answer comes at once; who is away must not keep anybody waiting. */
const CONNECT_MS = 2_000;
const SILENT_MS = 20_000;

/** The rest of a layer from the first peer that has it; undefined when none has. What comes is checked by who asks. */
export async function blobOfPeers(
  peers: readonly Peer[],
  identity: Identity,
  digest: string,
  from: number,
): Promise<AsyncIterable<Buffer> | undefined> {
  for (const peer of peers) {
    try {
      const answer = await ask(peer, identity, digest, from);
      if (answer.statusCode === (from > 0 ? 206 : 200)) return answer;
      answer.destroy();
    } catch {
      // Away, busy, or not who it should be: the next one, and at last the hub.
    }
  }
  return undefined;
}

function ask(peer: Peer, identity: Identity, digest: string, from: number): Promise<IncomingMessage> {
  const { key, certificate: cert, caCertificate: ca } = identity;
  return new Promise((resolve, reject) => {
    const asked = request({
      ...{ host: peer.address, port: peer.port, path: `/blobs/${digest}`, agent: false, timeout: SILENT_MS },
      ...{ key, cert, ca, rejectUnauthorized: false },
      headers: from > 0 ? { Range: `bytes=${from}-` } : {},
    });
    const connecting = setTimeout(() => asked.destroy(new Error('no connection')), CONNECT_MS);
    asked.once('socket', (socket) =>
      socket.once('secureConnect', () => {
        clearTimeout(connecting);
        const { raw } = (socket as TLSSocket).getPeerCertificate();
        // Before the request has told it anything that matters: who it is, is for us to see.
        if (nodeOfPeer(raw, ca, Date.now()) !== peer.node) asked.destroy(new Error('it is another device'));
      }),
    );
    asked.once('timeout', () => asked.destroy(new Error('it is silent')));
    asked.once('close', () => clearTimeout(connecting));
    asked.once('error', reject).once('response', resolve).end();
  });
}
