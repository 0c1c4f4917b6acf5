import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request as sendSecurely } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openAccess } from '../../../hub/access.ts';
import type { Access } from '../../../hub/api/access.ts';
import { ApiServer, type ApiServerOptions } from '../../../hub/api/server.ts';
import { reconcileDefaultRoles } from '../../../hub/authorization/reconcile-default-roles.ts';
import { CustomResources } from '../../../hub/custom-resources/custom-resources.ts';
import { StoreRegistry } from '../../../hub/registry/store-registry.ts';
import { trackFields } from '../../../hub/registry/track-fields.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import { namespaces, resources } from '../../../hub/resources/table-of-resources.ts';
import { CertificateAuthority, newKey } from '../../../hub/security/certificate-authority.ts';
import { SqliteStore } from '../../../hub/store/sqlite-store.ts';
import type { Store } from '../../../hub/store/store.ts';

export interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The text as JSON; `{}` when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

export interface RawAnswer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly content: Buffer;
}

export interface Call {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent;
}

export interface Stream {
  readonly response: IncomingMessage;
  /** The next event; undefined at the end. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into events of every shape
  next(): Promise<any>;
  close(): void;
}

type Teardown = { teardown(end: () => unknown): void; testdir(files: Record<string, never>): string };

/** The API as it really is, on a free port, with what is needed to talk to it. */
export class TestHub {
  readonly registry: StoreRegistry;
  readonly store: Store;
  readonly server: ApiServer;
  readonly access: Access;
  readonly authority: CertificateAuthority;
  readonly directory: string;
  readonly errors: unknown[];
  port = 0;
  admin: Agent;

  constructor(
    parts: Pick<
      TestHub,
      'registry' | 'store' | 'server' | 'access' | 'authority' | 'directory' | 'errors' | 'admin'
    >,
  ) {
    this.registry = parts.registry;
    this.store = parts.store;
    this.server = parts.server;
    this.access = parts.access;
    this.authority = parts.authority;
    this.directory = parts.directory;
    this.errors = parts.errors;
    this.admin = parts.admin;
  }

  /** A client that holds a certificate for this user. */
  static async agentFor(
    authority: CertificateAuthority,
    user: string,
    groups: readonly string[],
  ): Promise<Agent> {
    const { key, publicKey } = newKey();
    const cert = await authority.issueClient({ user, groups }, publicKey, 1);
    return new Agent({ key, cert, ca: authority.certificate, keepAlive: true, servername: 'localhost' });
  }

  async call(method: string, path: string, call: Call = {}): Promise<Answer> {
    const { code, headers, content } = await this.send(method, path, call);
    const text = content.toString();
    return { code, headers, text, body: parsed(text) };
  }

  /** The answer as it came. */
  async send(
    method: string,
    path: string,
    { body, headers = {}, agent = this.admin }: Call = {},
  ): Promise<RawAnswer> {
    const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    const content = isRaw ? body : JSON.stringify(body);
    const request = sendSecurely({
      host: '127.0.0.1',
      port: this.port,
      path,
      method,
      agent,
      headers: { ...(content !== undefined && bodyHeaders(content)), ...headers },
    });
    request.end(content);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    return { code: response.statusCode ?? 0, headers: response.headers, content: Buffer.concat(chunks) };
  }

  get(path: string, call?: Call): Promise<Answer> {
    return this.call('GET', path, call);
  }

  post(path: string, body: unknown, call?: Call): Promise<Answer> {
    return this.call('POST', path, { ...call, body });
  }

  put(path: string, body: unknown, call?: Call): Promise<Answer> {
    return this.call('PUT', path, { ...call, body });
  }

  patch(path: string, type: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const contentType = `application/${type}-patch+${type === 'apply' ? 'yaml' : 'json'}`;
    return this.call('PATCH', path, { body, headers: { ...headers, 'content-type': contentType } });
  }

  delete(path: string, body?: unknown): Promise<Answer> {
    return this.call('DELETE', path, { body });
  }

  /** Opens a watch; it is one line of JSON an event. */
  async watch(path: string, headers: Record<string, string> = {}): Promise<Stream> {
    const request = sendSecurely({ host: '127.0.0.1', port: this.port, path, agent: this.admin, headers });
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const lines = createInterface({ input: response })[Symbol.asyncIterator]();
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    return {
      response,
      next: async () => {
        const { value, done } = await lines.next();
        return done ? undefined : JSON.parse(value);
      },
      close: () => request.destroy(),
    };
  }

  /** A client without a certificate. */
  get stranger(): Agent {
    return new Agent({ ca: this.authority.certificate, servername: 'localhost' });
  }

  /** What the bearer of a token sends. */
  bearer(token: string): Pick<Call, 'agent' | 'headers'> {
    return { agent: this.stranger, headers: { authorization: `Bearer ${token}` } };
  }

  /** A kubeconfig file for an administrator. */
  async writeKubeconfig(): Promise<string> {
    const { key, publicKey } = newKey();
    const cert = await this.authority.issueClient(
      { user: 'admin', groups: ['system:masters'] },
      publicKey,
      1,
    );
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const server = `https://127.0.0.1:${this.port}`;
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [
        {
          name: 'test',
          cluster: { server, 'certificate-authority-data': base64(this.authority.certificate) },
        },
      ],
      users: [
        { name: 'admin', user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } },
      ],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    };
    const path = join(this.directory, 'kubeconfig');
    await writeFile(path, JSON.stringify(config));
    return path;
  }
}

function bodyHeaders(content: string | Uint8Array): Record<string, string> {
  return { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(content)) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** A hub's API with an empty store but for the namespace `default`; ends with the test. */
export async function startHub(t: Teardown, options: Partial<ApiServerOptions> = {}): Promise<TestHub> {
  const directory = t.testdir({});
  const store = SqliteStore.open(join(directory, 'hub.db'));
  const registry = new StoreRegistry({ store, definitions: resources, trackFields });
  const customResources = new CustomResources(registry);
  const authority = await CertificateAuthority.load(await CertificateAuthority.create('test'));
  const { key, certificate } = await authority.issueServer(['localhost', '127.0.0.1'], 1);
  const errors: unknown[] = [];
  const access = await openAccess({
    registry,
    tokenKey: createPrivateKey(newKey().key),
    ...(options.now && { now: options.now }),
  });
  const server = new ApiServer({
    registry,
    access,
    tls: { key, certificate, ca: authority.certificate },
    onError: (error) => errors.push(error),
    ...options,
  });
  const admin = await TestHub.agentFor(authority, 'admin', ['system:masters']);
  const hub = new TestHub({ registry, store, server, access, authority, directory, errors, admin });
  hub.port = await server.listen(0, '127.0.0.1');
  await reconcileDefaultRoles(registry);
  await registry.create(namespaces, newNamespace('default'), { fieldManager: 'test' });
  t.teardown(async () => {
    admin.destroy();
    await server.close();
    customResources.close();
    registry.close();
    store.close();
  });
  return hub;
}

function newNamespace(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
}
