import type { Descriptor } from './download.ts';
import type { Platform, PlatformManifest } from './platform.ts';

/* What registries say of images, which may be anything. Pure; what can not be understood throws an error for who pushed it. */

export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Manifests for several processors. */
export interface Index {
  readonly manifests: readonly PlatformManifest[];
}

export interface ImageConfig extends Partial<Platform> {
  /** Of the layers' contents, unpacked; the first is below all others. */
  readonly diffIds: readonly string[];
}

/** A manifest, or an index of some. */
export function readManifest(content: Buffer, image: string): Manifest | Index {
  const found = asObject(content) ?? {};
  if (isList(found['manifests'], isPlatformManifest)) return { manifests: found['manifests'] };
  const { config, layers } = found;
  if (isDescriptor(config) && isList(layers, isDescriptor)) return { config, layers };
  throw notUnderstood('manifest', image);
}

/** One that must be for one processor alone. */
export function readOnlyManifest(content: Buffer, image: string): Manifest {
  const found = readManifest(content, image);
  if ('manifests' in found) throw notUnderstood('manifest', image);
  return found;
}

export function readConfig(content: Buffer, image: string): ImageConfig {
  const found = asObject(content);
  if (!found) throw notUnderstood('configuration', image);
  const { architecture, os, variant, rootfs } = found;
  const { diff_ids: diffIds = [] } = (isObject(rootfs) ? rootfs : {}) as { diff_ids?: unknown };
  const isGood = [architecture, os, variant].every((each) => each === undefined || isText(each));
  if (!isGood || !isList(diffIds, isText)) throw notUnderstood('configuration', image);
  return { diffIds, ...({ architecture, os, variant } as Partial<Platform>) };
}

function asObject(content: Buffer): Record<string, unknown> | undefined {
  try {
    const found: unknown = JSON.parse(content.toString());
    return isObject(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (found: unknown): found is Record<string, unknown> =>
  typeof found === 'object' && found !== null;
const isText = (found: unknown): found is string => typeof found === 'string';
const isDigest = (found: unknown) => isText(found) && /^sha256:[0-9a-f]{64}$/.test(found);
const isDescriptor = (found: unknown): found is Descriptor =>
  isObject(found) &&
  isDigest(found['digest']) &&
  Number.isSafeInteger(found['size']) &&
  Number(found['size']) >= 0;

function isPlatformManifest(found: unknown): found is PlatformManifest {
  if (!isObject(found) || !isDigest(found['digest'])) return false;
  const { platform } = found;
  return platform === undefined || (isObject(platform) && isText(platform['architecture']));
}

function isList<T>(found: unknown, isOne: (each: unknown) => each is T): found is T[] {
  return Array.isArray(found) && found.every(isOne);
}

const notUnderstood = (what: string, image: string) =>
  new Error(`the ${what} of "${image}" is of a kind that is not known here: push it anew`);
