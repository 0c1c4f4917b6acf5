import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GitPushes } from '../controllers/git-source/git-pushes.ts';
import { type GitSourceObject, gitSources } from '../fleet/git-source.ts';
import type { Registry } from '../registry/registry.ts';
import { secrets } from '../resources/table-of-resources.ts';
import type { SecretObject } from '../resources/typed.ts';
import { Allowances } from './allowances.ts';
import { isFromServer } from './push-signature.ts';

const PATH = /^\/hooks\/git\/([a-z0-9][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9.-]{0,252})$/;
/** What a push is told with; GitHub sends up to 25 MiB of pushes of thousands of commits, which a poll then finds. */
const MAX_BODY_BYTES = 1024 * 1024;
const BODY_TIMEOUT_MS = 10_000;
/** Bodies that are being read. */
const MAX_OPEN = 32;
/** In the Secret of `spec.webhook.secretRef`. */
const SECRET_KEY = 'token';

export interface GitHooksOptions {
  readonly registry: Registry;
  readonly pushes: GitPushes;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * `POST /hooks/git/NAMESPACE/NAME`: a Git server tells of a push, and the repository is asked at once. Whoever does not
 * know the secret gets the same 401 whatever there is. Answers true for requests that it takes.
 */
export function gitHooks({ registry, pushes, now }: GitHooksOptions) {
  const allowances = new Allowances(now);
  const decoy = randomBytes(32).toString('hex'); // checked where there is nothing else to check: it takes as long
  let open = 0;
  const secretOf = (namespace: string, name: string): string | undefined => {
    const source = registry.get(gitSources, namespace, name) as GitSourceObject | undefined;
    const secretName = source?.spec.webhook?.secretRef.name;
    if (secretName === undefined) return undefined;
    const { data } = (registry.get(secrets, namespace, secretName) ?? {}) as Partial<SecretObject>;
    return Buffer.from(data?.[SECRET_KEY] ?? '', 'base64').toString() || undefined;
  };
  const hear = async (request: IncomingMessage, namespace: string, name: string): Promise<number> => {
    if (request.method !== 'POST') return 405;
    if (open >= MAX_OPEN || !allowances.take(request.socket.remoteAddress ?? '')) return 429;
    open += 1;
    const body = await bodyOf(request).finally(() => {
      open -= 1;
    });
    if (!body) return 413;
    const secret = secretOf(namespace, name);
    if (!isFromServer(request.headers, body, secret ?? decoy) || secret === undefined) return 401;
    pushes.tell(`${namespace}/${name}`);
    return 202;
  };
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const [path = ''] = (request.url ?? '').split('?');
    if (!path.startsWith('/hooks/')) return false;
    const [, namespace, name] = PATH.exec(path) ?? [];
    const answer = namespace && name ? hear(request, namespace, name) : Promise.resolve(404);
    void answer.then((code) => finish(request, response, code));
    return true;
  };
}

/** Undefined when it is too large, too slow, or was broken off. */
function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const timer = setTimeout(() => end(undefined), BODY_TIMEOUT_MS);
    const end = (body: Buffer | undefined) => {
      clearTimeout(timer);
      request.removeAllListeners('data');
      resolve(body);
    };
    request
      .on('data', (chunk: Buffer) => {
        sizeBytes += chunk.length;
        if (sizeBytes > MAX_BODY_BYTES) end(undefined);
        else chunks.push(chunk);
      })
      .once('end', () => end(Buffer.concat(chunks)))
      .once('close', () => end(undefined));
  });
}

/** One word, which says nothing of what there is. */
const WORDS: Readonly<Record<number, string>> = {
  202: 'accepted',
  401: 'the signature is not right',
  404: 'there is nothing here',
  405: 'POST is wanted',
  413: 'the body is too large or too slow',
  429: 'too many requests',
};

function finish(request: IncomingMessage, response: ServerResponse, code: number): void {
  response.writeHead(code, {
    'Content-Type': 'text/plain; charset=utf-8',
    ...(!request.complete && { Connection: 'close' }),
    ...(code === 405 && { Allow: 'POST' }),
    ...(code === 429 && { 'Retry-After': '10' }),
  });
  response.end(`${WORDS[code]}\n`, () => {
    if (!request.complete) request.destroy();
  });
}
