import type { PullSecret } from '../runtime/runtime.ts';

/*
 * Which credentials of pull Secrets are for an image: Kubernetes' rules.
 * https://kubernetes.io/docs/concepts/containers/images/#config-json
 */

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** Of registries that give tokens for it. */
  readonly identityToken?: string;
}

interface Entry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
}

const HOST_ENDINGS = /\/v[12]\/?$/;

/** All that fit, the most special first. `host` and `repository`: of the image. */
export function credentialsFor(
  secrets: readonly PullSecret[],
  { host, repository }: { readonly host: string; readonly repository: string },
): Credentials[] {
  const found = secrets
    .flatMap(entriesOf)
    .map(([key, entry]) => ({ pattern: patternOf(key), credentials: credentialsOf(entry) }))
    .filter(({ pattern }) => matches(pattern, host, repository));
  // Longer paths are for less, and so are meant where they fit.
  found.sort((a, b) => b.pattern.path.length - a.pattern.path.length);
  return found.flatMap(({ credentials }) => credentials ?? []);
}

function entriesOf({ type, data = {} }: PullSecret): [string, Entry][] {
  const isJson = type === 'kubernetes.io/dockerconfigjson';
  const text = data[isJson ? '.dockerconfigjson' : '.dockercfg'];
  if (text === undefined) return [];
  try {
    const parsed = JSON.parse(Buffer.from(text, 'base64').toString()) as object;
    const entries = isJson ? (parsed as { auths?: object }).auths : parsed;
    return Object.entries((entries ?? {}) as Record<string, Entry>);
  } catch {
    return []; // the hub has checked it; what is wrong all the same is for no image
  }
}

function credentialsOf({ auth, username, password, identitytoken }: Entry): Credentials | undefined {
  const text = Buffer.from(auth ?? '', 'base64').toString();
  const colon = text.indexOf(':');
  const [user, secret] = colon < 0 ? [username, password] : [text.slice(0, colon), text.slice(colon + 1)];
  if (!user && !identitytoken) return undefined;
  return {
    username: user ?? '',
    password: secret?.replace(/\0+$/, '') ?? '',
    ...(identitytoken && { identityToken: identitytoken }),
  };
}

interface Pattern {
  readonly host: string;
  readonly path: string;
}

/** `https://registry.example:5000/team` and the same without its scheme. */
function patternOf(key: string): Pattern {
  const bare = `${key.replace(/^https?:\/\//, '')}`.replace(HOST_ENDINGS, '').replace(/\/+$/, '');
  const slash = bare.indexOf('/');
  return slash < 0 ? { host: bare, path: '' } : { host: bare.slice(0, slash), path: bare.slice(slash + 1) };
}

/** Stars stand for a part of a name each, and for no more: as many parts, and the same port. */
function matches(pattern: Pattern, host: string, repository: string): boolean {
  const [wantedName = '', wantedPort] = pattern.host.split(':');
  const [name = '', port] = host.split(':');
  if (wantedPort !== port) return false;
  const [wanted, parts] = [wantedName.split('.'), name.split('.')];
  const fits =
    wanted.length === parts.length && wanted.every((each, index) => glob(each, parts[index] ?? ''));
  return fits && repository.startsWith(pattern.path);
}

/** Only stars: what else such patterns can say nobody uses in names of hosts. */
function glob(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === text;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  const last = rest.pop() ?? '';
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
