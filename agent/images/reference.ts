/** What a registry must be asked for to have an image. */
export interface ImageReference {
  /** `registry.example:5000`; undefined for names that say none: what these mean is the engine's to say. */
  readonly registry: string | undefined;
  /** `team/app` */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HOST = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:\d{1,5})?$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;

/** Throws when it is no name of an image. Without tag and digest the tag is `latest`. */
export function parseReference(image: string): ImageReference {
  const [whole = '', digest, ...more] = image.split('@');
  const slash = whole.indexOf('/');
  const first = whole.slice(0, Math.max(slash, 0));
  // As engines have it: a first part that can be a host is one.
  const isHost = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
  const path = isHost ? whole.slice(slash + 1) : whole;
  const colon = path.lastIndexOf(':');
  const repository = colon < 0 ? path : path.slice(0, colon);
  const tag = colon < 0 ? undefined : path.slice(colon + 1);
  const isGood =
    more.length === 0 &&
    (!isHost || HOST.test(first)) &&
    (digest === undefined || DIGEST.test(digest)) &&
    (tag === undefined || TAG.test(tag)) &&
    repository.split('/').every((part) => PART.test(part));
  if (!isGood) throw new Error(`"${image}" is no name of an image: say REGISTRY/NAME:TAG or NAME@sha256:…`);
  return {
    registry: isHost ? first : undefined,
    repository,
    tag: tag ?? (digest === undefined ? 'latest' : undefined),
    digest,
  };
}
