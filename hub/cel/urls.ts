import type { Environment } from '@marcbachmann/cel-js';

/** A URL as the language has it. */
class Url {
  readonly text: string;
  readonly parsed: URL;

  constructor(text: string) {
    this.text = text;
    this.parsed = parse(text) ?? fail(text);
  }
}

/** Absolute, or a path that begins at the root. */
function parse(text: string): URL | undefined {
  if (/[\s\p{Cc}]/u.test(text)) return undefined;
  if (text.startsWith('/')) return URL.parse(text, 'path://') ?? undefined;
  return /^[A-Za-z][A-Za-z0-9+.-]*:/.test(text) ? (URL.parse(text) ?? undefined) : undefined;
}

function fail(text: string): never {
  throw new Error(
    `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
  );
}

export function registerUrls(environment: Environment): void {
  environment.registerType('kubernetes.URL', Url);
  environment.registerFunction('url(string): kubernetes.URL', (text: string) => new Url(text));
  environment.registerFunction('isURL(string): bool', (text: string) => parse(text) !== undefined);
  const isPath = ({ text }: Url) => text.startsWith('/');
  const part = (name: string, read: (url: Url) => unknown, type = 'string') =>
    environment.registerFunction(`kubernetes.URL.${name}(): ${type}`, read);
  part('getScheme', (url) => (isPath(url) ? '' : url.parsed.protocol.slice(0, -1)));
  part('getHost', (url) => (isPath(url) ? '' : url.parsed.host));
  part('getHostname', (url) => (isPath(url) ? '' : url.parsed.hostname.replace(/^\[|\]$/g, '')));
  part('getPort', (url) => (isPath(url) ? '' : portOf(url.text)));
  part('getEscapedPath', (url) =>
    /^[^/?#]*:\/\/[^/?#]*(?:[?#]|$)/.test(url.text) ? '' : url.parsed.pathname,
  );
  part('getQuery', (url) => queryOf(url.parsed), 'map<string, list<string>>');
}

/** As it was written: a port that is the scheme's own is told too. */
function portOf(text: string): string {
  return /^[^/?#]*:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/.exec(text)?.[1] ?? '';
}

function queryOf({ searchParams }: URL): Map<string, string[]> {
  const query = new Map<string, string[]>();
  for (const key of searchParams.keys()) query.set(key, searchParams.getAll(key));
  return query;
}
