import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from 'pino';
import { backOffMs } from '../pod/back-off.ts';
import { elapsedMs, type Moment } from '../pod/moment.ts';
import { isDeleted, type Pod } from '../pod/pod.ts';
import { type TokenRequest, tokenKey, tokenRequestsOf } from '../pod/token-requests.ts';
import { tokensFile, type VolumeRoots } from '../pod/volumes.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { DesiredState } from '../state/desired-state.ts';

export interface AccountTokensOptions {
  readonly desired: Pick<DesiredState, 'pods' | 'unseal'>;
  readonly state: Pick<AgentState, 'accountTokens' | 'saveAccountTokens' | 'forgetAccountTokens'>;
  readonly roots: VolumeRoots;
  readonly moment: () => Moment;
  readonly monotonicMs: () => number;
  readonly random: () => number;
  /** Its containers have ended for good: nobody reads its tokens any more. */
  readonly isFinished: (uid: string) => boolean;
  /** A pod that has its files already has a new token. */
  readonly onToken: (uid: string) => void;
  readonly log: Logger;
}

/** A token as it is kept. */
interface TokenRecord {
  readonly token: string;
  readonly lifeSeconds: number;
  /** When it came. */
  readonly at: Moment;
}

/** What the hub is asked. */
export interface PodTokenRequest {
  readonly podUid: string;
  readonly audience: string;
  readonly expirationSeconds: bigint;
}

/** What it answers. */
export interface PodTokenResult extends PodTokenRequest {
  readonly sealedToken: Uint8Array;
  readonly lifeSeconds: bigint;
  readonly refusal: string;
}

/** The tokens of a pod, and why there are not more. */
export interface PodTokens {
  readonly values: ReadonlyMap<string, string>;
  readonly problem: string;
}

/** Another is asked for when so much of a token's life is over: a fleet that started together does not ask together. */
const RENEWED_AFTER = { least: 0.7, most: 0.79 };
/** How long a pod that is prepared waits for an answer, before it says that it waits. */
const ANSWER_MS = 5_000;
/** The first tokens of pods that start together are stored together. */
const STORED_AFTER_MS = 1_000;
/** What was not answered on a connection that is there all the same. */
const ASKED_AGAIN_MS = 60_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const NONE: PodTokens = { values: new Map(), problem: '' };

/**
 * The tokens of service accounts that pods of this device read: asked of the hub when it is there, renewed before they
 * expire, kept when it is not. They are in the pods' directories in memory; the first of each is in the database as well,
 * so that a pod can be started after the device was, without the hub. Renewals write nothing to flash.
 */
export class AccountTokens {
  readonly #options: AccountTokensOptions;
  /** When each is to be asked for, by `podUid key`, on the monotonic clock. */
  readonly #dueAtMs = new Map<string, number>();
  readonly #asked = new Set<string>();
  readonly #refusals = new Map<string, { readonly count: number; readonly why: string }>();
  readonly #waiting = new Map<string, () => void>(); // by pod
  readonly #unstored = new Set<string>(); // pods
  #ask: ((request: PodTokenRequest) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #storing: NodeJS.Timeout | undefined;
  /** One file after the other is changed. */
  #writing: Promise<void> = Promise.resolve();

  constructor(options: AccountTokensOptions) {
    this.#options = options;
  }

  /** There is a connection. */
  begin(ask: (request: PodTokenRequest) => void): void {
    this.#ask = ask;
    this.wanted(this.#options.desired.pods.keys());
  }

  /** There is none any more: what was not answered is asked again. */
  end(): void {
    this.#ask = undefined;
    for (const id of this.#asked) this.#dueAtMs.set(id, 0);
    this.#asked.clear();
    clearTimeout(this.#timer);
    for (const uid of [...this.#waiting.keys()]) this.#goOn(uid);
  }

  /** These pods are wanted otherwise than before. */
  wanted(uids: Iterable<string>): void {
    void this.#look([...uids]).catch((error: unknown) => this.#failed(error));
  }

  /** What the hub answers. */
  take(result: PodTokenResult): void {
    const { audience, expirationSeconds } = result;
    const request = { audience, expirationSeconds: Number(expirationSeconds) };
    if (!this.#asked.delete(idOf(result.podUid, request))) return; // nobody asked
    this.#writing = this.#writing
      .then(() => this.#taken(request, result))
      .catch((error: unknown) => this.#failed(error));
  }

  /** All that the pod asks for, waited for while the hub can be asked. */
  async of(pod: Pod): Promise<PodTokens> {
    const requests = tokenRequestsOf(pod);
    if (requests.length === 0) return NONE;
    const { uid } = pod.metadata;
    const isComplete = (records: ReadonlyMap<string, TokenRecord>) =>
      requests.every((request) => records.has(tokenKey(request)));
    const isRefused = () => requests.some((request) => this.#refusals.has(idOf(uid, request)));
    const untilMs = this.#options.monotonicMs() + ANSWER_MS;
    let records = await this.#records(uid);
    while (!isComplete(records) && this.#ask && !isRefused() && this.#options.monotonicMs() < untilMs) {
      const answered = this.#answered(uid, untilMs - this.#options.monotonicMs());
      this.wanted([uid]);
      await answered;
      records = await this.#records(uid);
    }
    const values = new Map([...records].map(([key, { token }]) => [key, token]));
    return { values, problem: this.#problem(uid, requests) };
  }

  /** Nothing is left of the pod. */
  forget(uid: string): void {
    for (const id of [...this.#dueAtMs.keys()].filter((each) => each.startsWith(`${uid} `))) {
      this.#dueAtMs.delete(id);
      this.#refusals.delete(id);
      this.#asked.delete(id);
    }
    this.#goOn(uid);
    this.#options.state.forgetAccountTokens(uid);
  }

  close(): void {
    this.end();
    clearTimeout(this.#storing);
    if (this.#unstored.size > 0) void this.#store().catch(() => {}); // they are in memory still
  }

  async #look(uids: readonly string[]): Promise<void> {
    for (const uid of uids) {
      const pod = this.#reader(uid);
      const requests = pod ? tokenRequestsOf(pod) : [];
      if (requests.some((request) => !this.#dueAtMs.has(idOf(uid, request))))
        await this.#learn(uid, requests);
      for (const request of requests) this.#askIfDue(uid, request);
    }
    this.#setTimer();
  }

  /** The pod, if its containers read tokens, or will. */
  #reader(uid: string): Pod | undefined {
    const { desired, isFinished } = this.#options;
    const pod = desired.pods.get(uid);
    return pod && !isDeleted(pod) && !isFinished(uid) ? pod : undefined;
  }

  /** What an agent before this one has left. */
  async #learn(uid: string, requests: readonly TokenRequest[]): Promise<void> {
    const records = await this.#records(uid);
    for (const request of requests) {
      const record = records.get(tokenKey(request));
      this.#dueAtMs.set(idOf(uid, request), record ? this.#dueOf(record) : 0);
    }
  }

  #dueOf({ at, lifeSeconds }: TokenRecord): number {
    const { least, most } = RENEWED_AFTER;
    const renewedAfterMs = lifeSeconds * 1000 * (least + this.#options.random() * (most - least));
    const agoMs = elapsedMs(at, this.#options.moment());
    return agoMs === undefined ? 0 : this.#options.monotonicMs() + renewedAfterMs - agoMs;
  }

  #askIfDue(uid: string, request: TokenRequest): void {
    const id = idOf(uid, request);
    const nowMs = this.#options.monotonicMs();
    if (!this.#ask || (this.#dueAtMs.get(id) ?? 0) > nowMs) return;
    this.#asked.add(id);
    this.#dueAtMs.set(id, nowMs + ASKED_AGAIN_MS);
    const { audience, expirationSeconds } = request;
    this.#ask({ podUid: uid, audience, expirationSeconds: BigInt(expirationSeconds) });
  }

  async #taken(
    request: TokenRequest,
    { podUid: uid, sealedToken, lifeSeconds, refusal }: PodTokenResult,
  ): Promise<void> {
    const id = idOf(uid, request);
    if (!this.#reader(uid)) return;
    if (refusal) this.#refused(uid, id, refusal);
    else {
      const token = this.#options.desired.unseal(sealedToken).toString();
      const record = { token, lifeSeconds: Number(lifeSeconds), at: this.#options.moment() };
      await this.#keep(uid, tokenKey(request), record);
      this.#refusals.delete(id);
      this.#dueAtMs.set(id, this.#dueOf(record));
    }
    if (this.#waiting.has(uid)) this.#goOn(uid);
    else if (!refusal) this.#options.onToken(uid);
    this.#setTimer();
  }

  #refused(uid: string, id: string, why: string): void {
    const count = (this.#refusals.get(id)?.count ?? 0) + 1;
    this.#refusals.set(id, { count, why });
    this.#dueAtMs.set(id, this.#options.monotonicMs() + backOffMs(count));
    this.#options.log.warn({ pod: uid, why }, 'the hub gives no token for a pod: it is asked again');
  }

  async #keep(uid: string, key: string, record: TokenRecord): Promise<void> {
    const records = await this.#records(uid);
    if (!records.has(key)) this.#storeSoon(uid);
    const path = tokensFile(uid, this.#options.roots);
    await mkdir(dirname(path), { recursive: true, mode: 0o711 });
    const json = JSON.stringify(Object.fromEntries([...records, [key, record]]));
    await writeFile(`${path}.new`, json, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  /** Those in memory are newer; after the device was started anew there are only the stored ones. */
  async #records(uid: string): Promise<Map<string, TokenRecord>> {
    const json = await readFile(tokensFile(uid, this.#options.roots), 'utf8').catch(() => undefined);
    return recordsOf(json ?? this.#options.state.accountTokens(uid) ?? '{}');
  }

  #storeSoon(uid: string): void {
    this.#unstored.add(uid);
    this.#storing ??= setTimeout(() => {
      this.#storing = undefined;
      void this.#store().catch((error: unknown) => this.#failed(error));
    }, STORED_AFTER_MS).unref();
  }

  async #store(): Promise<void> {
    const uids = [...this.#unstored].filter((uid) => this.#options.desired.pods.has(uid));
    this.#unstored.clear();
    const rows = uids.map(
      async (uid) => [uid, JSON.stringify(Object.fromEntries(await this.#records(uid)))] as const,
    );
    this.#options.state.saveAccountTokens(await Promise.all(rows));
  }

  /** Resolves when something came for the pod, or too much time has passed. */
  #answered(uid: string, mostMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timeout = setTimeout(() => this.#goOn(uid), mostMs);
    this.#waiting.set(uid, () => {
      clearTimeout(timeout);
      resolve();
    });
    return promise;
  }

  #goOn(uid: string): void {
    const go = this.#waiting.get(uid);
    this.#waiting.delete(uid);
    go?.();
  }

  #problem(uid: string, requests: readonly TokenRequest[]): string {
    const refusal = requests.map((request) => this.#refusals.get(idOf(uid, request))?.why).find(Boolean);
    if (refusal) return refusal;
    return this.#ask ? 'the hub has not answered yet' : 'the hub gives it as soon as it is reached';
  }

  #setTimer(): void {
    clearTimeout(this.#timer);
    for (const id of [...this.#dueAtMs.keys()])
      if (!this.#reader(id.slice(0, id.indexOf(' ')))) this.#dueAtMs.delete(id);
    if (!this.#ask || this.#dueAtMs.size === 0) return;
    const inMs = Math.min(...this.#dueAtMs.values(), Number.MAX_SAFE_INTEGER) - this.#options.monotonicMs();
    const look = () => this.wanted(this.#options.desired.pods.keys());
    this.#timer = setTimeout(look, Math.min(Math.max(inMs, 0), LONGEST_TIMER_MS)).unref();
  }

  #failed(error: unknown): void {
    this.#options.log.error({ err: error }, 'a token for a pod could not be kept on this device');
  }
}

function idOf(uid: string, request: TokenRequest): string {
  return `${uid} ${tokenKey(request)}`;
}

/** What is broken is asked for again. */
function recordsOf(json: string): Map<string, TokenRecord> {
  try {
    return new Map(Object.entries(JSON.parse(json) as Record<string, TokenRecord>));
  } catch {
    return new Map();
  }
}
