import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { sendFile } from '../packages/send-file.ts';
import type { ImageStore, StoredImage } from './image-store.ts';
import type { SitePeers } from './peers.ts';

/*
 * What an image registry answers to who pulls (https://github.com/opencontainers/distribution-spec, "Pull"), for devices. An
 * image is asked for by the whole name that pods have for it, the part that names another registry included.
 */

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const PATH = /^\/v2\/(?:(.+)\/(manifests|blobs)\/([^/]+))?$/;

/** Where a device asks who of its site gives layers too. No image has such a name. */
const PEERS = '/v2/_holdfast/peers';
const PEER_PORT_HEADER = 'holdfast-peer-port';

/** Answers a request of a device whose certificate was verified. */
export async function answerPull(
  { store, peers }: { store: ImageStore; peers: SitePeers },
  node: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.url === PEERS && request.method === 'GET') {
    const port = Number(request.headers[PEER_PORT_HEADER]);
    peers.told(node, port >= 1 && port <= 65_535 ? port : undefined);
    return send(response, 'application/json', Buffer.from(JSON.stringify(peers.of(node))), request);
  }
  const [, name, what = '', reference = ''] = PATH.exec(request.url ?? '') ?? [];
  response.setHeader('Docker-Distribution-API-Version', 'registry/2.0');
  if (request.method !== 'GET' && request.method !== 'HEAD')
    return refuse(response, 405, 'UNSUPPORTED', 'images are added with "holdfast images add"');
  if (request.url === '/v2/') return send(response, 'application/json', Buffer.from('{}'), request);
  if (!name) return refuse(response, 404, 'NAME_UNKNOWN', 'there is nothing here but images: /v2/');
  if (what === 'blobs') return sendBlob(store, reference, request, response);
  const images = store.list().filter((image) => image.name === `${name}:${reference}`);
  const byDigest = store.blob(reference);
  if (byDigest) return send(response, MANIFEST, readFileSync(byDigest), request);
  if (images.length === 0)
    return refuse(response, 404, 'MANIFEST_UNKNOWN', `the hub has no image "${name}:${reference}"`);
  return send(response, INDEX, Buffer.from(indexOf(images, store)), request);
}

/** One for each processor. */
function indexOf(images: readonly StoredImage[], store: ImageStore): string {
  const manifests = images.map(({ digest, architecture }) => ({
    mediaType: MANIFEST,
    digest,
    size: statSync(store.blob(digest) ?? '').size,
    platform: { architecture, os: 'linux' },
  }));
  return JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests });
}

async function sendBlob(
  store: ImageStore,
  digest: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = store.blob(digest);
  if (!path) return refuse(response, 404, 'BLOB_UNKNOWN', `the hub has no blob ${digest}`);
  response.setHeader('Docker-Content-Digest', digest);
  await sendFile(request, response, { path, tag: digest, bytes: statSync(path).size });
}

function send(response: ServerResponse, type: string, content: Buffer, { method }: IncomingMessage): void {
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  response.writeHead(200, {
    'Content-Type': type,
    'Content-Length': content.length,
    'Docker-Content-Digest': digest,
  });
  response.end(method === 'HEAD' ? undefined : content);
}

function refuse(response: ServerResponse, code: number, reason: string, message: string): void {
  const body = Buffer.from(JSON.stringify({ errors: [{ code: reason, message }] }));
  response.writeHead(code, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body);
}
