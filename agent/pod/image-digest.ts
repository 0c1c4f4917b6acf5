import type { FoundImage } from '../runtime/runtime.ts';

type Named = Pick<FoundImage, 'id' | 'digests'>;

/** The digest that a name stands for on this device. Of a name with a tag the one that its registry gave it, if one did. */
export function digestOf(image: string, { id, digests }: Named): string {
  const named = digestIn(image);
  if (named !== undefined) return named;
  const slash = image.lastIndexOf('/');
  const colon = image.indexOf(':', slash + 1);
  const repository = colon < 0 ? image : image.slice(0, colon);
  const known = digests.find((each) => each.startsWith(`${repository}@`)) ?? digests[0];
  return (known && digestIn(known)) ?? id;
}

/** Why what was found is not what the name says; undefined when it is, or when the name says nothing of it. */
export function digestProblem(image: string, found: Named | undefined): string | undefined {
  if (!found) return `the engine has downloaded image "${image}", and does not have it`;
  const named = digestIn(image);
  const there = [found.id, ...found.digests.map(digestIn)];
  if (named === undefined || there.includes(named)) return undefined;
  return `image "${image}" has another digest on this device: ${there.filter(Boolean).join(', ')}`;
}

function digestIn(name: string): string | undefined {
  const at = name.lastIndexOf('@');
  return at < 0 ? undefined : name.slice(at + 1);
}
