import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { type IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Registry } from '../registry/registry.ts';
import { ApiError, badRequest, serviceUnavailable } from '../resources/api-error.ts';
import { type Access, actingUser } from './access.ts';
import { discardBody } from './body.ts';
import type { ApiContext, Exchange } from './exchange.ts';
import { ListPages } from './list-pages.ts';
import type { PodStreams } from './pod-streams.ts';
import { sendError, setCommonHeaders } from './reply.ts';
import type { RequestLog, RequestObserver } from './request-log.ts';
import type { UsageOf } from './resource-metrics.ts';
import { route } from './router.ts';
import { ServedRegistry } from './served-registry.ts';
import { wantsUpgrade } from './streaming/upgrade.ts';

const HEADERS_TIMEOUT_MS = 30_000;
/** Longer than the pause between the requests of a client that polls. */
const KEEP_ALIVE_TIMEOUT_MS = 90_000;
/** More than a change of the whole fleet makes at once: waiting changes are but references to shared objects. */
const WATCH_BACKLOG = 50_000;
/** How long answers that are under way may take once the server closes. */
const CLOSE_TIMEOUT_MS = 2_000;

export interface ApiServerOptions {
  readonly registry: Registry;
  /** PEM. Client certificates that `ca` signed are who they say. */
  readonly tls: { readonly key: string; readonly certificate: string; readonly ca: string };
  /** Without them, logs and the like are not to be had. */
  readonly streams?: PodStreams;
  /** Without it, nodes and pods have no metrics. */
  readonly usage?: UsageOf;
  readonly access: Access;
  /** Told of every error that is a bug; `id` is what the client saw of it. */
  readonly onError?: (error: unknown, id: string) => void;
  /** Asked before the API, for what else is served on this port; answers true when it took the request. */
  readonly otherPaths?: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** Parts of the hub, for `/readyz`. */
  readonly health?: ApiContext['health'];
  readonly metrics?: ApiContext['metrics'];
  /** Hear of every request. */
  readonly observers?: readonly RequestObserver[];
  /** How many changes may wait for a client of a watch before it is cut off. */
  readonly watchBacklog?: number;
  readonly now?: () => number;
}

const unavailable = async () => {
  throw serviceUnavailable('containers can not be reached');
};
const NO_STREAMS: PodStreams = {
  log: unavailable,
  exec: unavailable,
  attach: unavailable,
  connect: unavailable,
  checkConnected: () => undefined, // whoever connects is told
};

/** The Kubernetes API over HTTPS. */
export class ApiServer {
  /** For what else this port carries: `upgrade` listeners. */
  readonly http: Server;
  readonly #context: ApiContext;
  readonly #closing = new AbortController();
  readonly #onError: NonNullable<ApiServerOptions['onError']>;
  readonly #otherPaths: NonNullable<ApiServerOptions['otherPaths']>;

  constructor({ registry, tls, access, ...options }: ApiServerOptions) {
    const now = options.now ?? Date.now;
    setMaxListeners(0, this.#closing.signal); // one for every watch
    this.#context = {
      registry: new ServedRegistry(registry),
      access,
      streams: options.streams ?? NO_STREAMS,
      usage: options.usage ?? (() => Promise.resolve(undefined)),
      pages: new ListPages(now),
      watchBacklog: options.watchBacklog ?? WATCH_BACKLOG,
      health: options.health ?? {},
      metrics: options.metrics,
      observers: options.observers ?? [],
      now,
      closing: this.#closing.signal,
    };
    this.#onError = options.onError ?? (() => undefined);
    this.#otherPaths = options.otherPaths ?? (() => false);
    this.http = createServer({
      key: tls.key,
      cert: tls.certificate,
      ca: tls.ca,
      requestCert: true,
      rejectUnauthorized: false, // who has no certificate gets a 401 that can be read
      minVersion: 'TLSv1.2',
      noDelay: true,
      shouldUpgradeCallback: wantsUpgrade,
    });
    this.http.requestTimeout = 0; // watches last; bodies have a limit of their own
    this.http.headersTimeout = HEADERS_TIMEOUT_MS;
    this.http.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
    this.http.on('request', (request, response) => void this.#answer(request, response));
    this.http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      const response = new ServerResponse(request); // for refusals
      response.assignSocket(socket);
      socket.on('error', () => socket.destroy());
      void this.#answer(request, response, { socket, head });
    });
  }

  /** Resolves with the port, which is a free one when 0 is asked for. */
  listen(port: number, host?: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.http.once('error', reject);
      this.http.listen(port, host, () => {
        this.http.off('error', reject);
        resolve((this.http.address() as AddressInfo).port);
      });
    });
  }

  /** Ends watches and logs, lets other answers finish for a moment, and closes every connection. */
  async close(): Promise<void> {
    this.#closing.abort();
    if (!this.http.listening) return;
    const closed = new Promise<void>((resolve) => this.http.close(() => resolve()));
    this.http.closeIdleConnections();
    const timer = setTimeout(() => this.http.closeAllConnections(), CLOSE_TIMEOUT_MS);
    await closed;
    clearTimeout(timer);
  }

  /** The one place where an error becomes an answer. */
  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    upgrade?: Exchange['upgrade'],
  ): Promise<void> {
    response.on('error', () => response.destroy());
    const log = newLog(request, this.#context.now());
    (upgrade?.socket ?? response).once('close', () => this.#over(log, response));
    try {
      if (this.#otherPaths(request, response)) return;
      setCommonHeaders(response, log.id);
      if (this.#closing.signal.aborted) response.setHeader('Connection', 'close');
      await this.#route(request, response, log, upgrade);
    } catch (error) {
      const answer = this.#apiError(error);
      if (upgrade) {
        response.setHeader('Connection', 'close');
        response.once('finish', () => upgrade.socket.end());
      } else if (!(await discardBody(request))) {
        response.setHeader('Connection', 'close');
        response.once('finish', () => request.destroy());
      }
      sendError(response, answer);
    }
  }

  async #route(
    request: IncomingMessage,
    response: ServerResponse,
    log: RequestLog,
    upgrade: Exchange['upgrade'],
  ): Promise<void> {
    const { authenticate, authorizer } = this.#context.access;
    const url = urlOf(request);
    log.caller = await authenticate(request);
    const user = actingUser(authorizer, log.caller, request.headersDistinct);
    log.user = user;
    const exchange: Exchange = {
      context: this.#context,
      request,
      response,
      url,
      user,
      log,
      warnings: new Set(),
      ...(upgrade && { upgrade }),
    };
    await route(exchange);
  }

  #over(log: RequestLog, response: ServerResponse): void {
    for (const observer of this.#context.observers)
      observer.ended(log, response.headersSent ? response.statusCode : 101, this.#context.now());
  }

  #apiError(error: unknown): ApiError {
    if (error instanceof ApiError) return error;
    const id = randomUUID();
    this.#onError(error, id);
    return new ApiError(500, 'InternalError', `Internal error occurred: ${id}`, {}, { cause: error });
  }
}

function urlOf({ url = '/' }: IncomingMessage): URL {
  try {
    return new URL(url, 'https://hub');
  } catch {
    throw badRequest(`the path ${JSON.stringify(url)} can not be understood`);
  }
}

function newLog(request: IncomingMessage, receivedMs: number): RequestLog {
  const { method = 'GET', url: uri = '/', headers, socket } = request;
  return {
    id: randomUUID(),
    method,
    uri,
    userAgent: headers['user-agent'] ?? '',
    sourceIp: socket.remoteAddress ?? '',
    contentType: headers['content-type'] ?? '',
    receivedMs,
  };
}
