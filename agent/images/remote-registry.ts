import { type IncomingMessage, type OutgoingHttpHeaders, request as requestPlain } from 'node:http';
import { request as requestTls } from 'node:https';
import { getCACertificates } from 'node:tls';
import { RuntimeError } from '../runtime/runtime.ts';
import type { Credentials } from './credentials.ts';
import { isLoopback, type Location } from './engine-registries.ts';

const SILENT_MS = 60_000;
const CONNECT_MS = 15_000;
const MOST_TEXT_BYTES = 4 * 1024 * 1024;
const MOST_REDIRECTS = 5;
const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const REDIRECTS = [301, 302, 303, 307, 308];

interface Call {
  readonly headers?: OutgoingHttpHeaders;
  readonly method?: string;
  readonly body?: string;
}

/** What a registry wants to be shown. */
interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * One image's place in any registry: by TLS, or without on the loopback. Who asks is told by the first of the credentials that the
 * registry takes, or by nothing.
 */
export class RemoteRegistry {
  readonly #location: Location;
  readonly #credentials: readonly (Credentials | undefined)[];
  readonly #ca = [
    ...getCACertificates('bundled'),
    ...getCACertificates('system'),
    ...getCACertificates('extra'),
  ];
  #scheme: 'https' | 'http' = 'https';
  #authorization: string | undefined;

  constructor(location: Location, credentials: readonly Credentials[]) {
    this.#location = location;
    // With credentials for it nobody is asked without.
    this.#credentials = credentials.length > 0 ? credentials : [undefined];
  }

  /** A manifest or an index. Rejects when it can not be had. */
  async manifest(reference: string): Promise<Buffer> {
    const answer = await this.#get(`manifests/${reference}`, { Accept: MANIFEST_TYPES });
    return contentOf(answer);
  }

  /** The rest of a blob from a byte on, and from which: registries may give all of it. */
  async blob(digest: string, from: number): Promise<{ from: number; parts: AsyncIterable<Buffer> }> {
    const answer = await this.#get(`blobs/${digest}`, from > 0 ? { Range: `bytes=${from}-` } : {});
    return { from: answer.statusCode === 206 ? from : 0, parts: answer };
  }

  /** Once with each of the credentials, until one is taken. */
  async #get(path: string, headers: OutgoingHttpHeaders): Promise<IncomingMessage> {
    const url = `/v2/${this.#location.repository}/${path}`;
    const first = await this.#call(url, headers, this.#authorization);
    if (first.statusCode !== 401 && first.statusCode !== 403) return this.#taken(first);
    let [refused, denial] = [first, await textOf(first)];
    for (const credentials of this.#credentials) {
      const challenge = challengeOf(refused.headers['www-authenticate'] ?? first.headers['www-authenticate']);
      const authorization = await this.#authorize(challenge, credentials);
      if (!authorization) continue;
      const answer = await this.#call(url, headers, authorization);
      if (answer.statusCode !== 401 && answer.statusCode !== 403) {
        this.#authorization = authorization;
        return this.#taken(answer);
      }
      [refused, denial] = [answer, await textOf(answer)];
    }
    const who = this.#credentials[0] ? 'the credentials of its pull secrets' : 'who shows no credentials';
    throw new RuntimeError(
      'image-denied',
      `${this.#name} does not give "${this.#location.repository}" to ${who}: ${refused.statusCode} ${denial}`.trim(),
    );
  }

  async #taken(answer: IncomingMessage): Promise<IncomingMessage> {
    if (answer.statusCode === 200 || answer.statusCode === 206) return answer;
    const text = await textOf(answer);
    throw new Error(`${this.#name} does not give the image: ${answer.statusCode} ${text}`.trim());
  }

  get #name(): string {
    return `the registry "${this.#location.host}"`;
  }

  /** What to show for a challenge; undefined when the credentials are none for it. */
  async #authorize(
    challenge: Challenge | undefined,
    credentials: Credentials | undefined,
  ): Promise<string | undefined> {
    if (challenge?.scheme === 'bearer') return this.#token(challenge, credentials);
    return credentials && basic(credentials);
  }

  async #token(
    { parameters: { realm = '', service = '', scope } }: Challenge,
    credentials: Credentials | undefined,
  ): Promise<string | undefined> {
    const url = new URL(realm);
    // Credentials are shown to no one who could not be asked for the image itself.
    if (url.protocol !== 'https:' && this.#scheme === 'https')
      throw new Error(`${this.#name} has its tokens from "${realm}", which is without TLS`);
    const wanted = { service, scope: scope ?? `repository:${this.#location.repository}:pull` };
    const { identityToken } = credentials ?? {};
    const answer = identityToken
      ? await this.#send(url, tokenRequest({ ...wanted, refresh_token: identityToken }))
      : await this.#send(withQuery(url, wanted), {
          headers: credentials ? { Authorization: basic(credentials) } : {},
        });
    if (answer.statusCode !== 200) {
      answer.resume();
      return undefined;
    }
    const { token, access_token } = JSON.parse((await contentOf(answer)).toString()) as Record<
      string,
      string
    >;
    return `Bearer ${token ?? access_token}`;
  }

  async #call(
    path: string,
    headers: OutgoingHttpHeaders,
    authorization: string | undefined,
  ): Promise<IncomingMessage> {
    const sent = { ...headers, ...(authorization && { Authorization: authorization }) };
    const { host } = this.#location;
    try {
      return await this.#follow(new URL(`${this.#scheme}://${host}${path}`), sent);
    } catch (error) {
      if (this.#scheme !== 'https' || !isLoopback(host) || !isPlain(error as NodeJS.ErrnoException))
        throw new Error(`${this.#name} can not be reached: ${reasonOf(error as Error)}`);
    }
    this.#scheme = 'http';
    return this.#call(path, headers, authorization);
  }

  /** Where a blob is kept elsewhere, that is no business of who keeps the credentials. */
  async #follow(from: URL, headers: OutgoingHttpHeaders): Promise<IncomingMessage> {
    let [url, sent] = [from, headers];
    for (let count = 0; count <= MOST_REDIRECTS; count++) {
      const answer = await this.#send(url, { headers: sent });
      const { location } = answer.headers;
      if (!REDIRECTS.includes(answer.statusCode ?? 0) || !location) return answer;
      answer.resume();
      const next = new URL(location, url);
      if (url.protocol === 'https:' && next.protocol !== 'https:')
        throw new Error(`it sends to "${next.host}", which is without TLS`);
      if (next.host !== url.host) {
        const { Authorization: _, ...others } = sent;
        sent = others;
      }
      url = next;
    }
    throw new Error('it sends in circles');
  }

  #send(url: URL, { headers = {}, method = 'GET', body }: Call): Promise<IncomingMessage> {
    const options = { method, headers, agent: false, timeout: SILENT_MS };
    return new Promise((resolve, reject) => {
      const asked =
        url.protocol === 'https:'
          ? requestTls(url, { ...options, ca: this.#ca }, resolve)
          : requestPlain(url, options, resolve);
      const connecting = setTimeout(() => asked.destroy(new Error('no connection')), CONNECT_MS);
      asked.once('socket', (socket) =>
        socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => clearTimeout(connecting)),
      );
      asked.once('timeout', () => asked.destroy(new Error(`it was silent for ${SILENT_MS / 1000} s`)));
      asked.once('close', () => clearTimeout(connecting));
      asked.once('error', reject).end(body);
    });
  }
}

const basic = ({ username, password }: Credentials) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

function withQuery(url: URL, query: Readonly<Record<string, string>>): URL {
  const whole = new URL(url);
  for (const [name, value] of Object.entries(query)) if (value) whole.searchParams.set(name, value);
  return whole;
}

function tokenRequest(form: Readonly<Record<string, string>>): Call {
  const body = new URLSearchParams({
    ...form,
    grant_type: 'refresh_token',
    client_id: 'holdfast',
  }).toString();
  const headers = {
    'Content-Type': 'application/x-www-form-urlencoded',
    'Content-Length': Buffer.byteLength(body),
  };
  return { method: 'POST', headers, body };
}

/** `Bearer realm="https://…",service="…",scope="…"` */
export function challengeOf(header: string | undefined): Challenge | undefined {
  const [, scheme, rest = ''] = /^\s*(\w+)\s*(.*)$/s.exec(header ?? '') ?? [];
  if (!scheme) return undefined;
  const found = [...rest.matchAll(/(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))/g)];
  const parameters = found.map(([, name = '', quoted, bare]) => [name.toLowerCase(), quoted ?? bare ?? '']);
  return { scheme: scheme.toLowerCase(), parameters: Object.fromEntries(parameters) };
}

/** Whoever is there speaks no TLS. */
function isPlain({ code = '', message }: NodeJS.ErrnoException): boolean {
  return code === 'EPROTO' || code === 'ECONNRESET' || code.startsWith('ERR_SSL') || /hang up/.test(message);
}

function reasonOf(error: Error): string {
  return error.message || ((error as NodeJS.ErrnoException).code ?? String(error));
}

async function contentOf(answer: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > MOST_TEXT_BYTES) throw new Error('the manifest must have at most 4 MiB');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** What it says of a refusal, in one line. */
async function textOf(answer: IncomingMessage): Promise<string> {
  const text = (await contentOf(answer)).toString();
  const [, message] = /"message":"([^"]*)"/.exec(text) ?? [];
  return (message ?? text).replace(/\s+/g, ' ').trim().slice(0, 200);
}
