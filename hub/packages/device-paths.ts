import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CertificateAuthority } from '../security/certificate-authority.ts';
import { addressAsked } from './hub-address.ts';
import { packageLists } from './package-list.ts';
import type { PackageStore } from './package-store.ts';
import { sendFile } from './send-file.ts';

/** Packages that are being sent, and of these to one address: a site of many devices is one address. */
const MOST_DOWNLOADS = 128;
const MOST_DOWNLOADS_EACH = 32;
/** What devices do when they are told to come back. */
const RETRY_SECONDS = 5;

export interface DevicePathsOptions {
  readonly ca: Pick<CertificateAuthority, 'certificate' | 'sign'>;
  readonly packages: PackageStore;
  /** `host:port` of the API, for those who do not say by what name they came. */
  readonly ownAddress: () => string;
  readonly grpcPort: number;
  readonly onError: (error: unknown) => void;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/**
 * What a device needs before the hub knows it, for anybody to read: the CA, the script that installs the agent, and the
 * packages. Answers true for requests that it takes.
 */
export function devicePaths(options: DevicePathsOptions) {
  const { ca, packages, onError } = options;
  const signedList = packageLists(ca);
  const downloads = new Downloads(packages);
  const handlers = new Map<string, Handler>([
    [
      '/cacerts',
      (request, response) => sendWhole(request, response, ca.certificate, 'application/x-pem-file'),
    ],
    ['/install.sh', (request, response) => sendScript(request, response, installScript(request, options))],
    ['/uninstall.sh', (request, response) => sendScript(request, response, scriptText('uninstall.sh'))],
    ['/packages/', (request, response) => sendWhole(request, response, listed(packages))],
    [
      '/packages/SHA256SUMS',
      (request, response) => sendWhole(request, response, signedList(packages.list()).text),
    ],
    [
      '/packages/SHA256SUMS.sig',
      (request, response) =>
        sendWhole(request, response, signedList(packages.list()).signature, 'application/octet-stream'),
    ],
  ]);
  return (request: IncomingMessage, response: ServerResponse): boolean => {
    const [path = ''] = (request.url ?? '').split('?');
    const handler = handlers.get(path) ?? (path.startsWith('/packages/') && downloads.handlerOf(path));
    if (!handler) return false;
    request.resume(); // what it says does not count
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      sendWhole(request, response, 'GET is wanted\n', 'text/plain', 405);
      return true;
    }
    void answer(handler, request, response, onError);
    return true;
  };
}

async function answer(
  handler: Handler,
  request: IncomingMessage,
  response: ServerResponse,
  onError: (error: unknown) => void,
): Promise<void> {
  try {
    await handler(request, response);
  } catch (error) {
    onError(error);
    if (response.headersSent) response.destroy();
    else sendWhole(request, response, 'the hub can not read this: its log says why\n', 'text/plain', 500);
  }
}

/** The contents of packages, of which only so many are sent at once. */
class Downloads {
  readonly #packages: PackageStore;
  readonly #open = new Map<string, number>(); // by address
  #all = 0;

  constructor(packages: PackageStore) {
    this.#packages = packages;
  }

  handlerOf(path: string): Handler {
    const name = path.slice('/packages/'.length);
    return async (request, response) => {
      const isSignature = name.endsWith('.minisig');
      const found = this.#packages.get(isSignature ? name.slice(0, -'.minisig'.length) : name);
      if (!found) sendWhole(request, response, noSuch(name, this.#packages), 'text/plain', 404);
      else if (isSignature) sendWhole(request, response, found.signature);
      else {
        const { sha256: tag, bytes } = found;
        await this.#counted(request, response, () =>
          sendFile(request, response, { path: this.#packages.contentOf(found), tag, bytes }),
        );
      }
    };
  }

  async #counted(
    request: IncomingMessage,
    response: ServerResponse,
    send: () => Promise<void>,
  ): Promise<void> {
    const who = request.socket.remoteAddress ?? '';
    const before = this.#open.get(who) ?? 0;
    if (this.#all >= MOST_DOWNLOADS || before >= MOST_DOWNLOADS_EACH) {
      response.setHeader('Retry-After', RETRY_SECONDS);
      sendWhole(request, response, 'too many downloads at once: try again soon\n', 'text/plain', 503);
      return;
    }
    this.#count(who, 1);
    await send().finally(() => this.#count(who, -1));
  }

  #count(who: string, change: 1 | -1): void {
    const now = (this.#open.get(who) ?? 0) + change;
    this.#all += change;
    if (now === 0) this.#open.delete(who);
    else this.#open.set(who, now);
  }
}

const listed = (packages: PackageStore) =>
  packages
    .list()
    .map(({ name }) => `${name}\n`)
    .join('');

function noSuch(name: string, packages: PackageStore): string {
  const names = packages.list().map((each) => each.name);
  const there = names.length > 0 ? `there are ${names.join(', ')}` : 'there are none yet';
  return `no package ${JSON.stringify(name.slice(0, 100))}: ${there}; on the hub, "holdfast packages add FILE" adds one\n`;
}

/** Read when they are asked for, as they are beside the program. */
function scriptText(name: string): string {
  return readFileSync(new URL(`./on-device/${name}`, import.meta.url), 'utf8');
}

/** With the address under which the device has reached this hub: it then needs to be told nothing but its token. */
function installScript({ headers }: IncomingMessage, { ownAddress, grpcPort }: DevicePathsOptions): string {
  const address = addressAsked(headers.host, ownAddress());
  return scriptText('install.sh')
    .replace('@HUB_URL@', `https://${address}`)
    .replace('@HUB_GRPC_PORT@', `${grpcPort}`);
}

const sendScript = (request: IncomingMessage, response: ServerResponse, text: string) =>
  sendWhole(request, response, text, 'text/x-shellscript; charset=utf-8');

function sendWhole(
  request: IncomingMessage,
  response: ServerResponse,
  content: string | Buffer,
  type = 'text/plain; charset=utf-8',
  code = 200,
): void {
  response.writeHead(code, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(content),
    'Cache-Control': 'no-cache',
  });
  response.end(request.method === 'HEAD' ? undefined : content);
}
