import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { renameConfiguration } from '../resources/pod-spec-references.ts';

/** On a template: which content of each ConfigMap and Secret it is to be run with. */
export const STAMP_ANNOTATION = 'fleet.holdfast.dev/configuration';
/** On a copy: the name of what it is a copy of. */
export const COPY_OF_ANNOTATION = 'fleet.holdfast.dev/copy-of';

/** By `ConfigMap/name` or `Secret/name` the id of the copy; empty for what there is no copy of, which stays live. */
export type Stamp = Readonly<Record<string, string>>;

export const ID_LENGTH = 10;
const ID = /^(?:[a-z0-9]{10})?$/;
const NAME_LENGTH = 253;

/** Undefined when there is none, or one that nobody of ours has written. */
export function stampOf({ metadata }: PodTemplateSpec): Stamp | undefined {
  const text = metadata?.annotations?.[STAMP_ANNOTATION];
  return text === undefined ? undefined : parseStamp(text);
}

function parseStamp(text: string): Stamp | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isStamp(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isStamp(value: unknown): value is Stamp {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((id) => typeof id === 'string' && ID.test(id));
}

/** The template with this stamp in place of the one that it has; without any for undefined. */
export function withStamp(template: PodTemplateSpec, stamp: Stamp | undefined): PodTemplateSpec {
  const { [STAMP_ANNOTATION]: _, ...others } = template.metadata?.annotations ?? {};
  const own = stamp && { [STAMP_ANNOTATION]: JSON.stringify(sorted(stamp)) };
  const annotations = { ...others, ...own };
  const { annotations: _before, ...metadata } = template.metadata ?? {};
  const hasAny = Object.keys(annotations).length > 0;
  return { ...template, metadata: { ...metadata, ...(hasAny && { annotations }) } };
}

function sorted(stamp: Stamp): Stamp {
  return Object.fromEntries(Object.entries(stamp).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What the copy of an object is called. A name that would be too long is cut. */
export function copyName(name: string, id: string): string {
  const kept = name.slice(0, NAME_LENGTH - ID_LENGTH - 1).replace(/[^a-z0-9]+$/, '');
  return `${kept}-${id}`;
}

/** The template as pods are made from it: what its stamp names is read from the copies. */
export function stamped(template: PodTemplateSpec): PodTemplateSpec {
  const stamp = stampOf(template);
  if (!stamp || !template.spec) return template;
  const spec = renameConfiguration(template.spec, (kind, name) => {
    const key = `${kind}/${name}`;
    const id = Object.hasOwn(stamp, key) ? stamp[key] : '';
    return id ? copyName(name, id) : name;
  });
  return { ...template, spec };
}
