/*
 * An engine forgets of what digest an image is that it was given as an archive. So such an image gets a tag besides that says it,
 * and is found by it.
 */

const PREFIX = 'holdfast-sha256-';

/** The tag that stands for a name with a digest; undefined for a name without one. */
export function digestTag(image: string): string | undefined {
  const [, name = '', hex] = /^(.+?)@sha256:([0-9a-f]{64})$/.exec(image) ?? [];
  return hex && `${withoutTag(name)}:${PREFIX}${hex}`;
}

/** What such a tag stands for; undefined for all other names. */
export function digestOfTag(image: string): string | undefined {
  const [, name, hex] = /^(.+):holdfast-sha256-([0-9a-f]{64})$/.exec(image) ?? [];
  return hex && `${name}@sha256:${hex}`;
}

export function withoutTag(name: string): string {
  const at = name.lastIndexOf(':');
  return at > name.lastIndexOf('/') ? name.slice(0, at) : name;
}
