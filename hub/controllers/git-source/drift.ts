import type { DriftedObject } from '../../fleet/git-source.ts';
import type { KubeObject } from '../../resources/object.ts';
import { isJsonObject, sameJson } from '../../schema/json-type.ts';

const MAX_FIELDS = 5;
/** Not the repository's to say. */
const SERVERS = [
  'managedFields',
  'resourceVersion',
  'generation',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
];

/**
 * How an object is other than the repository has it; undefined when it is not. `applied` is what applying it again would
 * make of it. Names fields, never their values.
 */
export function differenceOf(
  object: string,
  live: KubeObject,
  applied: KubeObject,
): DriftedObject | undefined {
  const fields = differences(told(live), told(applied), '').slice(0, MAX_FIELDS);
  return fields.length === 0 ? undefined : { object, state: 'Differs', fields };
}

function told({ metadata, status: _, ...rest }: KubeObject): object {
  const own = Object.entries(metadata).filter(([key]) => !SERVERS.includes(key));
  return { ...rest, metadata: Object.fromEntries(own) };
}

function differences(live: unknown, wanted: unknown, path: string): string[] {
  if (sameJson(live, wanted)) return [];
  if (isJsonObject(live) && isJsonObject(wanted)) {
    const keys = new Set([...Object.keys(live), ...Object.keys(wanted)]);
    return [...keys].flatMap((key) => differences(live[key], wanted[key], joined(path, key)));
  }
  if (Array.isArray(live) && Array.isArray(wanted) && live.length === wanted.length)
    return live.flatMap((item, index) => differences(item, wanted[index], `${path}[${index}]`));
  return [path];
}

function joined(path: string, key: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}
