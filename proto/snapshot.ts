import { type KeyObject, sign, verify } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { canonicalJson } from './canonical-json.ts';
import {
  type SignedSnapshot,
  SignedSnapshotSchema,
  type Snapshot,
  SnapshotSchema,
  type Version,
} from './gen/holdfast/v1/link_pb.ts';

/** Signed before the snapshot's bytes, so that no other signature of the hub's key can pass for a snapshot's. */
const SNAPSHOT_CONTEXT = 'holdfast/v1/snapshot\0';

/** A device's memory bounds what a snapshot may unfold to: far above any real one. */
const MAX_OBJECTS_BYTES = 32 * 1024 * 1024;

/** What snapshots carry: Kubernetes objects, of which this module needs only what names them. */
export interface NamedObject {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string; readonly name?: string };
}

/** A snapshot was not taken. The message says why, for the log of the device and of the hub. */
export class SnapshotRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SnapshotRefused';
  }
}

/** Canonical JSON of the objects, sorted by kind, namespace and name: the same objects always give the same bytes. */
export function encodeObjects(objects: readonly NamedObject[]): Buffer {
  return Buffer.from(canonicalJson(objects.toSorted(byName)));
}

export function compressObjects(objects: Buffer): Uint8Array {
  return zstdCompressSync(objects);
}

/** Throws SnapshotRefused when the bytes are not zstd of a JSON array. Empty bytes are no objects. */
export function decodeObjects<T>(bytes: Uint8Array): T[] {
  if (bytes.length === 0) return [];
  try {
    const text = zstdDecompressSync(bytes, { maxOutputLength: MAX_OBJECTS_BYTES }).toString();
    const objects: unknown = JSON.parse(text);
    if (!Array.isArray(objects)) throw new TypeError('its objects are not an array');
    return objects;
  } catch (error) {
    throw new SnapshotRefused('the objects of the snapshot do not decode', { cause: error });
  }
}

/** `key` is the hub's Ed25519 private key. */
export function signSnapshot(
  snapshot: MessageInitShape<typeof SnapshotSchema>,
  key: KeyObject,
): SignedSnapshot {
  const bytes = toBinary(SnapshotSchema, create(SnapshotSchema, snapshot));
  return create(SignedSnapshotSchema, {
    snapshot: bytes,
    signature: sign(null, signedBytes(bytes), key),
  });
}

/** The snapshot inside, once its signature is found good. Throws SnapshotRefused. `key` is the hub's public key. */
export function openSnapshot(signed: SignedSnapshot, key: KeyObject): Snapshot {
  if (!verify(null, signedBytes(signed.snapshot), key, signed.signature)) {
    throw new SnapshotRefused('the snapshot is not signed by the hub that this device enrolled with');
  }
  try {
    return fromBinary(SnapshotSchema, signed.snapshot);
  } catch (error) {
    throw new SnapshotRefused('the snapshot does not decode', { cause: error });
  }
}

/** Negative when `a` is older than `b`. A missing version is older than any. */
export function compareVersions(a: Version | undefined, b: Version | undefined): number {
  const byEpoch = Number((a?.epoch ?? -1n) - (b?.epoch ?? -1n));
  return byEpoch || Number((a?.revision ?? -1n) - (b?.revision ?? -1n));
}

/** `3.17`: epoch and revision, for people. */
export function formatVersion(version: Version | undefined): string {
  return version ? `${version.epoch}.${version.revision}` : 'none';
}

function signedBytes(snapshot: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(SNAPSHOT_CONTEXT), snapshot]);
}

function byName(a: NamedObject, b: NamedObject): number {
  return (
    compareText(a.kind, b.kind) ||
    compareText(a.metadata.namespace ?? '', b.metadata.namespace ?? '') ||
    compareText(a.metadata.name ?? '', b.metadata.name ?? '')
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
