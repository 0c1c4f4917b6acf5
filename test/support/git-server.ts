import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import ssh2 from 'ssh2';
import { CertificateAuthority } from '../../hub/security/certificate-authority.ts';

const HOST = '127.0.0.1';
const GIT_ENV = {
  PATH: process.env['PATH'] ?? '',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'tester',
  GIT_AUTHOR_EMAIL: 'tester@example.com',
  GIT_COMMITTER_NAME: 'tester',
  GIT_COMMITTER_EMAIL: 'tester@example.com',
};

function git(directory: string, ...args: string[]): string {
  return execFileSync('git', args, {
    cwd: directory,
    env: GIT_ENV,
    stdio: ['ignore', 'pipe', 'pipe'],
  }).toString();
}

/** A repository of its own on the server, with a working copy that pushes to it. */
export class ServedRepository {
  readonly path: string;
  readonly #work: string;

  constructor(root: string, name: string) {
    this.path = `/${name}.git`;
    this.#work = join(root, 'work', name);
    const bare = join(root, 'served', `${name}.git`);
    mkdirSync(bare, { recursive: true });
    mkdirSync(this.#work, { recursive: true });
    git(bare, 'init', '--quiet', '--bare', '--initial-branch=main');
    git(this.#work, 'init', '--quiet', '--initial-branch=main');
    git(this.#work, 'remote', 'add', 'origin', bare);
  }

  /** Writes files, or removes those that are undefined, and pushes. Returns the commit. */
  commit(files: Readonly<Record<string, string | object | undefined>>, branch = 'main'): string {
    for (const [name, content] of Object.entries(files)) {
      const file = join(this.#work, name);
      if (content === undefined) rmSync(file);
      else {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
      }
    }
    git(this.#work, 'add', '--all');
    git(this.#work, 'commit', '--quiet', '--allow-empty', '--message', 'a change');
    git(this.#work, 'push', '--quiet', '--force', 'origin', `HEAD:refs/heads/${branch}`);
    return git(this.#work, 'rev-parse', 'HEAD').trim();
  }

  /** Runs git in the working copy. */
  git(...args: string[]): string {
    return git(this.#work, ...args);
  }

  get work(): string {
    return this.#work;
  }
}

/** Of those that ssh2 makes it cannot itself read one in 300. */
function sshKey(): { text: ssh2.utils.KeyPairReturn; key: ssh2.ParsedKey } {
  const text = ssh2.utils.generateKeyPairSync('ed25519');
  const key = ssh2.utils.parseKey(text.public);
  return key instanceof Error ? sshKey() : { text, key };
}

/** Real Git servers on the loopback: git's own http-backend behind HTTPS with a password, and git over SSH. */
export class GitServer {
  readonly credentials = { username: 'robot', password: 'open sesame' };
  /** Requests that were answered with 401. */
  refused = 0;
  readonly #root: string;
  readonly #https: Server;
  readonly #ssh: ssh2.Server;
  readonly certificate: string;
  readonly identity: string;
  readonly #hostKey: string;
  #isOnline = true;

  private constructor(
    root: string,
    authority: CertificateAuthority,
    tls: { certificate: string; key: string },
  ) {
    this.#root = root;
    this.certificate = authority.certificate;
    this.#https = createServer({ cert: tls.certificate, key: tls.key }, (request, response) =>
      this.#answer(request, response),
    );
    const { text: client, key } = sshKey();
    const { text: host } = sshKey();
    this.identity = client.private;
    this.#hostKey = host.public;
    this.#ssh = new ssh2.Server({ hostKeys: [host.private] }, (connection) => {
      connection.on('error', () => undefined);
      connection.on('authentication', (attempt) => {
        const isKey = attempt.method === 'publickey' && attempt.key.data.equals(key.getPublicSSH());
        if (!isKey) attempt.reject(['publickey']);
        else if (
          !attempt.signature ||
          key.verify(attempt.blob ?? Buffer.alloc(0), attempt.signature, attempt.hashAlgo)
        )
          attempt.accept();
        else attempt.reject();
      });
      connection.on('session', (accept) => {
        const session = accept();
        session.on('env', (acceptEnv) => acceptEnv?.());
        session.on('exec', (acceptExec, reject, { command }) => {
          const [, path] = /^git-upload-pack '([^']+)'$/.exec(command) ?? [];
          if (!path) return reject();
          const channel = acceptExec();
          const child = spawn('git', ['upload-pack', join(this.#root, 'served', path)], { env: GIT_ENV });
          channel.pipe(child.stdin);
          child.stdout.pipe(channel, { end: false });
          child.stderr.pipe(channel.stderr, { end: false });
          child.stdin.on('error', () => undefined);
          child.once('close', (code) => {
            channel.exit(code ?? 1);
            channel.end();
          });
        });
      });
    });
  }

  static async start(): Promise<GitServer> {
    const authority = await CertificateAuthority.load(await CertificateAuthority.create('git-test-ca'));
    const server = new GitServer(
      mkdtempSync(join(tmpdir(), 'hf-git-')),
      authority,
      await authority.issueServer([HOST], 1),
    );
    await Promise.all([listening(server.#https), listening(server.#ssh)]);
    return server;
  }

  repository(name: string): ServedRepository {
    return new ServedRepository(this.#root, name);
  }

  httpsUrl({ path }: ServedRepository): string {
    return `https://${HOST}:${portOf(this.#https)}${path}`;
  }

  sshUrl({ path }: ServedRepository): string {
    return `ssh://git@${HOST}:${portOf(this.#ssh)}${path}`;
  }

  /** The line that says which key the server has; `isRight` false for another one's. */
  knownHosts(isRight = true): string {
    const key = isRight ? this.#hostKey : ssh2.utils.generateKeyPairSync('ed25519').public;
    return `[${HOST}]:${portOf(this.#ssh)} ${key.split(' ').slice(0, 2).join(' ')}\n`;
  }

  /** Whether requests are answered; otherwise with 503. */
  set isOnline(isOnline: boolean) {
    this.#isOnline = isOnline;
  }

  async close(): Promise<void> {
    this.#https.closeAllConnections();
    await Promise.all([
      new Promise((resolve) => this.#https.close(resolve)),
      new Promise((resolve) => this.#ssh.close(resolve)),
    ]);
    rmSync(this.#root, { recursive: true, force: true });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { username, password } = this.credentials;
    const expected = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    if (!this.#isOnline) {
      response.writeHead(503).end();
      return;
    }
    if (request.headers.authorization !== expected) {
      this.refused += 1;
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="git"' }).end();
      return;
    }
    const { pathname, search } = new URL(request.url ?? '/', 'https://git');
    const child = spawn('git', ['http-backend'], {
      env: {
        ...GIT_ENV,
        GIT_PROJECT_ROOT: join(this.#root, 'served'),
        GIT_HTTP_EXPORT_ALL: '1',
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method ?? 'GET',
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        REMOTE_USER: username,
        REMOTE_ADDR: HOST,
        ...(request.headers['content-encoding'] && {
          HTTP_CONTENT_ENCODING: `${request.headers['content-encoding']}`,
        }),
        ...(request.headers['git-protocol'] && { GIT_PROTOCOL: `${request.headers['git-protocol']}` }),
      },
    });
    child.stdin.on('error', () => undefined);
    response.on('close', () => child.kill());
    request.pipe(child.stdin);
    let head = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      child.stdout.off('data', onData);
      const lines = head.subarray(0, end).toString().split('\r\n');
      const headers = lines.map((line) => line.split(/:\s*/, 2) as [string, string]);
      const status = Number(headers.find(([name]) => name === 'Status')?.[1]?.split(' ')[0] ?? 200);
      response.writeHead(status, Object.fromEntries(headers.filter(([name]) => name !== 'Status')));
      response.write(head.subarray(end + 4));
      child.stdout.pipe(response);
    };
    child.stdout.on('data', onData);
  }
}

function listening(server: NetServer | ssh2.Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, HOST, () => resolve()));
}

function portOf(server: { address(): unknown }): number {
  return (server.address() as AddressInfo).port;
}
