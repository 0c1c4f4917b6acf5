import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as delay } from 'node:timers/promises';
import { type Connection, readConnection } from './kubeconfig.ts';

/** What the hub refused, with the words of its Status. */
export class ApiFailure extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The hub could not be asked. */
export class Unreachable extends Error {}

export interface CallOptions {
  /** Of the body: JSON when absent. */
  readonly contentType?: string;
  readonly accept?: string;
}

export const JSON_PATCH = 'application/json-patch+json';
export const MERGE_PATCH = 'application/merge-patch+json';
export const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';

export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: T;
}

interface Stored {
  readonly metadata: { readonly resourceVersion?: string };
}

const GONE = 410;
const RETRY_FIRST_MS = 250;
const RETRY_MOST_MS = 5_000;

/** What the operator's commands need of the API: calls to one hub, as the user of a kubeconfig. */
export class ApiClient {
  readonly #server: URL;
  readonly #connection: Pick<Connection, 'tls' | 'token'>;
  /** Of the context: where things are that name no other. */
  readonly namespace: string;

  constructor({ server, namespace, tls, token }: Connection) {
    this.#server = new URL(server);
    this.#connection = { tls, ...(token && { token }) };
    this.namespace = namespace;
  }

  /** Throws an error that says what to do when the file is not there or no kubeconfig. */
  static fromKubeconfig(path: string, context?: string): ApiClient {
    try {
      return new ApiClient(readConnection(path, context));
    } catch (error) {
      throw new Error(`read the kubeconfig "${path}": name the hub's with --kubeconfig or KUBECONFIG`, {
        cause: error,
      });
    }
  }

  /** PEM. */
  get caCertificate(): string {
    return this.#connection.tls.ca ?? '';
  }

  /** Resolves with the answer's object; rejects with an ApiFailure of the answer's Status. */
  async call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    options: CallOptions = {},
  ): Promise<T> {
    return JSON.parse((await this.text(method, path, body, options)) || '{}') as T;
  }

  /** As `call`, for what is no object. */
  async text(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<string> {
    const answer = await this.#send(method, path, body, options);
    const text = await textOf(answer);
    if ((answer.statusCode ?? 500) >= 400) throw failureOf(answer.statusCode ?? 500, text);
    return text;
  }

  /** As `call`; undefined for what is not there. */
  async find<T>(path: string): Promise<T | undefined> {
    try {
      return await this.call<T>('GET', path);
    } catch (error) {
      if (error instanceof ApiFailure && error.code === 404) return undefined;
      throw error;
    }
  }

  /**
   * What happens to the objects of a collection after `since`, until the hub ends the watch or the signal is given.
   * Rejects with an ApiFailure 410 when that is too long ago.
   */
  async *watch<T>(
    collection: string,
    query: Readonly<Record<string, string>>,
    since: string,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const parameters = new URLSearchParams({ ...query, watch: 'true', resourceVersion: since });
    const answer = await this.#send('GET', `${collection}?${parameters}`, undefined, {}, signal);
    if ((answer.statusCode ?? 500) >= 400) throw failureOf(answer.statusCode ?? 500, await textOf(answer));
    for await (const line of linesOf(answer)) {
      const event = JSON.parse(line) as WatchEvent<T> | { type: 'ERROR'; object: { code: number } };
      if (event.type === 'ERROR') throw failureOf(event.object.code, JSON.stringify(event.object));
      yield event;
    }
  }

  /**
   * One object now, and each time that it changes; undefined once it is gone. Goes on when the hub is away for a
   * while, or its history was too short. Ends with the signal.
   */
  async *follow<T extends Stored>(
    collection: string,
    name: string,
    signal: AbortSignal,
  ): AsyncGenerator<T | undefined> {
    yield* goOn(
      signal,
      () => this.#followOnce<T>(collection, name, signal),
      (object) => object === undefined,
    );
  }

  /**
   * The objects of a collection that the query takes, then each that comes or changes. What is there already is told
   * again when the hub was away, or its history too short. Ends with the signal.
   */
  async *followAll<T>(
    collection: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly T[]> {
    yield* goOn(
      signal,
      () => this.#followAllOnce<T>(collection, query, signal),
      () => false,
    );
  }

  async *#followOnce<T extends Stored>(
    collection: string,
    name: string,
    signal: AbortSignal,
  ): AsyncGenerator<T | undefined> {
    const object = await this.find<T>(`${collection}/${name}`);
    yield object;
    const query = { fieldSelector: `metadata.name=${name}` };
    const since = object?.metadata.resourceVersion ?? '';
    for await (const event of this.watch<T>(collection, query, since, signal))
      yield event.type === 'DELETED' ? undefined : event.object;
  }

  async *#followAllOnce<T>(
    collection: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncGenerator<readonly T[]> {
    const list = await this.call<{ items: T[] } & Stored>(
      'GET',
      `${collection}?${new URLSearchParams(query)}`,
    );
    yield list.items;
    const since = list.metadata.resourceVersion ?? '';
    for await (const { type, object } of this.watch<T>(collection, query, since, signal))
      if (type !== 'DELETED') yield [object];
  }

  #send(
    method: string,
    path: string,
    body: unknown,
    { contentType = 'application/json', accept = 'application/json' }: CallOptions,
    signal?: AbortSignal,
  ): Promise<IncomingMessage> {
    const { tls, token } = this.#connection;
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const headers = {
      Accept: accept,
      ...(text && { 'Content-Type': contentType }),
      ...(token && { Authorization: `Bearer ${token}` }),
    };
    return new Promise((resolve, reject) => {
      const options = { method, headers, ...tls, ...(signal && { signal }) };
      const call = request(new URL(path, this.#server), options, resolve);
      call.once('error', (error) =>
        reject(
          new Unreachable(`the hub at ${this.#server.host} cannot be reached: does it run?`, {
            cause: error,
          }),
        ),
      );
      call.end(text);
    });
  }
}

/**
 * Takes turns of following until the last item, or the signal: again when the hub ended one, when it is away for a while,
 * and when its history was too short. Fails when the first turn finds no hub.
 */
async function* goOn<T>(
  signal: AbortSignal,
  turn: () => AsyncGenerator<T>,
  isLast: (item: T) => boolean,
): AsyncGenerator<T> {
  let retryMs = RETRY_FIRST_MS;
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    try {
      let isNews = false; // what a turn begins with tells nothing of how long it lasts
      for await (const item of turn()) {
        yield item;
        if (isLast(item)) return;
        if (isNews) retryMs = RETRY_FIRST_MS;
        isNews = true;
      }
    } catch (error) {
      const isOver = error instanceof ApiFailure ? error.code < 500 && error.code !== GONE : isFirst;
      if (signal.aborted) return;
      if (isOver) throw error;
    }
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
    retryMs = Math.min(retryMs * 2, RETRY_MOST_MS);
  }
}

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const chunk of answer) text += chunk;
  return text;
}

async function* linesOf(answer: IncomingMessage): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of answer) {
    const lines = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.filter((line) => line !== '');
  }
}

function failureOf(code: number, text: string): ApiFailure {
  let message: unknown;
  try {
    message = (JSON.parse(text) as { message?: unknown }).message;
  } catch {
    message = text.slice(0, 200); // of something between us and the hub
  }
  return new ApiFailure(code, `${message || `the hub answered ${code}`}`);
}
