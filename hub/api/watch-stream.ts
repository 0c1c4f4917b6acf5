import type { ServerResponse } from 'node:http';
import type { WatchEvent } from '../registry/registry.ts';
import type { KubeObject } from '../resources/object.ts';

/** An event of a stream: what the registry tells, a bookmark, or the error that ends it. */
export type StreamEvent =
  | Exclude<WatchEvent, { type: 'SYNCED' }>
  | { readonly type: 'BOOKMARK'; readonly object: KubeObject; readonly revision: number }
  | { readonly type: 'ERROR'; readonly status: object };

/** A client that reads nothing for so long is gone or broken. */
const STALL_TIMEOUT_MS = 60_000;

/**
 * Events on their way to one client. They wait as references to shared objects and become text only when the socket
 * takes it, so a client costs next to nothing; one that does not keep up is cut off, and starts again by a list.
 */
export class WatchStream {
  readonly closed: Promise<void>;
  readonly #response: ServerResponse;
  readonly #encode: (event: StreamEvent) => string;
  readonly #backlog: number;
  #waiting: StreamEvent[] = [];
  #next = 0;
  #allowed = Number.POSITIVE_INFINITY;
  #isOpen = false;
  #isEnding = false;
  #isFull = false;
  #stall: NodeJS.Timeout | undefined;

  /** `backlog` is how many changes may wait for the client; what existed at the start waits besides. */
  constructor(response: ServerResponse, encode: (event: StreamEvent) => string, backlog: number) {
    this.#backlog = backlog;
    this.#response = response;
    this.#encode = encode;
    this.closed = new Promise((resolve) => {
      response.once('close', () => {
        this.#forget();
        resolve();
      });
    });
    response.on('drain', () => {
      this.#isFull = false;
      clearTimeout(this.#stall);
      this.#pump();
    });
  }

  /** Sends the head of the answer at once, so that the client knows that it watches. */
  open(): void {
    this.#response.writeHead(200, { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' });
    this.#response.flushHeaders();
    this.#allowed = this.#waiting.length + this.#backlog;
    this.#isOpen = true;
    this.#pump();
  }

  push(event: StreamEvent): void {
    if (this.#response.destroyed || (this.#isOpen && this.#isEnding)) return;
    this.#waiting.push(event);
    if (this.#waiting.length - this.#next > this.#allowed) this.#response.destroy();
    else this.#pump();
  }

  /** Lets what waits go out, then ends. */
  end(): void {
    this.#isEnding = true;
    this.#pump();
  }

  #pump(): void {
    if (!this.#isOpen || this.#response.destroyed) return;
    while (!this.#isFull && this.#next < this.#waiting.length) {
      const event = this.#waiting[this.#next++];
      if (event && !this.#response.write(this.#encode(event))) this.#wait();
    }
    if (this.#next === this.#waiting.length) this.#allSent();
  }

  #wait(): void {
    this.#isFull = true;
    this.#stall = setTimeout(() => this.#response.destroy(), STALL_TIMEOUT_MS);
  }

  #allSent(): void {
    this.#waiting = [];
    this.#next = 0;
    this.#allowed = this.#backlog;
    if (this.#isEnding && !this.#response.writableEnded) this.#response.end();
  }

  #forget(): void {
    clearTimeout(this.#stall);
    this.#waiting = [];
    this.#next = 0;
  }
}
