import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ManifestWriter } from '../../api/manifest-writer.ts';
import type { DriftedObject, GitSourceObject } from '../../fleet/git-source.ts';
import { type KubeObject, objectKey } from '../../resources/object.ts';
import type { ObjectEvent } from '../controller.ts';
import type { WantedObject } from './apply-plan.ts';
import { Clone, GIT_LIMITS } from './clone.ts';
import { NEW_MEMORY, type PassMemory } from './pass-plan.ts';

/** What is known of one GitSource besides what is stored: all of it can be lost. */
export interface FollowedSource {
  readonly uid: string;
  readonly clone: Clone;
  pass: PassMemory;
  /** What was last applied, by key; undefined until it is known. */
  wanted: Map<string, WantedObject> | undefined;
  /** By key. */
  readonly drifted: Map<string, DriftedObject>;
  /** Keys of objects that somebody wrote since they were compared. */
  readonly touched: Set<string>;
  /** By key: marks of objects that were as they are wanted when they were compared. */
  readonly seen: Map<string, string>;
}

/** All GitSources, and which object belongs to which of them. */
export class FollowedSources {
  readonly #writer: ManifestWriter;
  readonly #directory: string;
  readonly #sources = new Map<string, FollowedSource>(); // by `namespace/name`
  readonly #owners = new Map<string, string>(); // key of an object that was applied → its GitSource

  constructor(writer: ManifestWriter, directory: string) {
    this.#writer = writer;
    this.#directory = directory;
  }

  /** Removes copies of repositories that nobody follows, and credentials that a killed hub has left. */
  tidy(): void {
    const known = new Set([...this.#sources.values()].map(({ uid }) => uid));
    const entries = existsSync(this.#directory) ? readdirSync(this.#directory) : [];
    for (const entry of entries)
      if (!known.has(entry)) rmSync(join(this.#directory, entry), { recursive: true, force: true });
  }

  get isEmpty(): boolean {
    return this.#sources.size === 0;
  }

  get(key: string): FollowedSource | undefined {
    return this.#sources.get(key);
  }

  /** Takes note of a GitSource that has come or gone. */
  changed({ type, object }: ObjectEvent): void {
    const key = objectKey(object);
    const known = this.#sources.get(key);
    if (known && (type === 'DELETED' || object.metadata.uid !== known.uid)) this.#forget(key, known);
    if (type !== 'DELETED' && !this.#sources.has(key)) this.#learn(key, object as GitSourceObject);
  }

  #learn(key: string, { metadata: { uid = '' }, status = {} }: GitSourceObject): void {
    this.#sources.set(key, {
      uid,
      clone: new Clone(join(this.#directory, uid), GIT_LIMITS),
      pass: NEW_MEMORY,
      wanted: undefined,
      drifted: new Map(),
      touched: new Set(),
      seen: new Map(),
    });
    const owned = (status.inventory ?? []).flatMap((ref) => this.#writer.keyOf(ref) ?? []);
    this.own(
      key,
      owned.filter((each) => !this.#owners.has(each)),
    );
  }

  #forget(key: string, { clone }: FollowedSource): void {
    this.#sources.delete(key);
    for (const [object, owner] of this.#owners) if (owner === key) this.#owners.delete(object);
    clone.remove();
  }

  /** Which GitSource but this one has an object. */
  otherOwner(key: string, object: string): string | undefined {
    const owner = this.#owners.get(object);
    return owner === key ? undefined : owner;
  }

  own(key: string, objects: readonly string[]): void {
    for (const object of objects) this.#owners.set(object, key);
  }

  disown(key: string, objects: readonly string[]): void {
    for (const object of objects) if (this.#owners.get(object) === key) this.#owners.delete(object);
  }

  /** The GitSource whose object was written so that it may now be other than it is wanted. */
  touched(object: string, { type, object: live }: ObjectEvent): string[] {
    const key = this.#owners.get(object);
    const source = key === undefined ? undefined : this.#sources.get(key);
    if (key === undefined || !source?.wanted?.has(object)) return [];
    if (type !== 'DELETED' && source.seen.get(object) === marksOf(live)) return [];
    source.touched.add(object);
    return [key];
  }

  /** Has the repository be asked without waiting. False when there is no such GitSource. */
  pushed(key: string): boolean {
    const source = this.#sources.get(key);
    if (source) source.pass = { ...source.pass, isPushed: true };
    return source !== undefined;
  }
}

/** From now on, these are watched over. What was written meanwhile is compared, even if it was by us. */
export function want(source: FollowedSource, wanted: readonly WantedObject[]): void {
  source.wanted = new Map(wanted.map((each) => [each.key, each]));
  source.drifted.clear();
  source.seen.clear();
}

/** An object is as it is wanted: until it is marked otherwise, it need not be compared again. */
export function see(source: FollowedSource, key: string, live: KubeObject | undefined): void {
  if (live?.metadata.generation === undefined) source.seen.delete(key);
  else source.seen.set(key, marksOf(live));
}

/** What changes with everything but the status, for kinds that count generations. */
function marksOf({ metadata }: KubeObject): string {
  const { uid, generation, labels, annotations, deletionTimestamp } = metadata;
  return JSON.stringify([uid, generation, labels, annotations, deletionTimestamp]);
}
