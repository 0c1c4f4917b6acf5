import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type {
  ConnectResponse,
  SignedSnapshot,
  TokenResult,
  Version,
} from '../../proto/gen/holdfast/v1/link_pb.ts';
import { formatVersion, SnapshotRefused } from '../../proto/snapshot.ts';
import { monotonicMs } from '../monotonic.ts';
import type { DesiredState } from '../state/desired-state.ts';
import type { Connection, Link } from './link.ts';
import type { Reporter } from './reporter.ts';
import type { Streams } from './streams.ts';

export interface SessionOptions {
  /**
   * The first is preferred. The others are tried besides from the second attempt in a row: when a hub restarts, which of
   * its ports answers first is chance, and a device would stay on what it found.
   */
  readonly links: readonly (() => Promise<Link>)[];
  readonly desired: DesiredState;
  readonly reporter: Reporter;
  readonly streams: Streams;
  readonly tokens: TokenAsker;
  readonly agentVersion: string;
  readonly log: Logger;
  /** Pods that a new snapshot changes. */
  readonly onDesired: (uids: ReadonlySet<string>) => void;
  readonly onState: (state: SessionState) => void;
}

/** Asks the hub for tokens of service accounts for as long as there is a connection. */
export interface TokenAsker {
  begin(ask: (request: Pick<TokenResult, 'podUid' | 'audience' | 'expirationSeconds'>) => void): void;
  end(): void;
  take(result: TokenResult): void;
}

export interface SessionState {
  readonly connected: boolean;
  readonly transport: 'mqtt' | 'grpc' | undefined;
  /** Why there is no connection. */
  readonly error: string | undefined;
}

/** What the hub says of the session itself. */
interface HubSays {
  readonly welcome: () => void;
  readonly goodbye: (reason: string) => void;
}

const RETRY_MS = { first: 500, longest: 60_000 };
/** A connection that lasted this long was a good one: the next attempt waits the shortest time again. */
const GOOD_AFTER_MS = 10_000;
const WELCOME_TIMEOUT_MS = 10_000;
/** A snapshot that could not be stored (a full disk) is tried again. */
const STORE_RETRY_MS = { first: 10_000, longest: 300_000 };

/** Keeps one connection to the hub, for ever: connects, says what it holds, takes snapshots, reports. */
export class Session {
  readonly #options: SessionOptions;
  readonly #abort = new AbortController();
  #current: Promise<void> = Promise.resolve();
  #storeRetry: NodeJS.Timeout | undefined;
  #failedAttempts = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Runs until `close`. */
  async run(): Promise<void> {
    const { signal } = this.#abort;
    let delayMs = RETRY_MS.first;
    while (!signal.aborted) {
      const startedAt = monotonicMs();
      this.#current = this.#connectOnce(signal).catch((error: unknown) => this.#disconnected(error as Error));
      await this.#current;
      if (monotonicMs() - startedAt > GOOD_AFTER_MS) delayMs = RETRY_MS.first;
      // Full jitter above half: a fleet that lost its hub together does not come back together.
      const jittered = delayMs * (0.5 + Math.random() / 2);
      await sleep(jittered, undefined, { signal }).catch(() => {});
      delayMs = Math.min(delayMs * 2, RETRY_MS.longest);
    }
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('the agent is stopping'));
    clearTimeout(this.#storeRetry);
    await this.#current;
  }

  async #connectOnce(signal: AbortSignal): Promise<void> {
    const connectionId = randomUUID();
    const { promise: welcomed, resolve: onWelcome } = Promise.withResolvers<void>();
    const { promise: stopped, resolve: onStop } = Promise.withResolvers<Error>();
    const hubSays = { welcome: onWelcome, goodbye: (reason: string) => onStop(new Error(reason)) };
    const { connection, name } = await this.#open(connectionId, hubSays, signal);
    const stop = () => onStop(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const { desired, agentVersion, reporter } = this.#options;
      const held = desired.version;
      connection.send({
        case: 'hello',
        value: { agentVersion, sealingKey: desired.sealingPublicKey, ...(held && { held }) },
      });
      await deadline(Promise.race([welcomed, connection.closed.then(raise), stopped.then(raise)]));
      this.#failedAttempts = 0;
      this.#options.onState({ connected: true, transport: name, error: undefined });
      this.#options.log.info({ transport: name }, 'connected to the hub');
      reporter.begin((message) => connection.send(message));
      this.#options.tokens.begin((value) => connection.send({ case: 'tokenRequest', value }));
      raise(await Promise.race([connection.closed, stopped]));
    } finally {
      signal.removeEventListener('abort', stop);
      this.#options.reporter.end();
      this.#options.tokens.end();
      this.#options.streams.closeAll();
      await Promise.race([connection.close().catch(() => {}), sleep(1_000, undefined, { ref: false })]);
      connection.drop(); // whose other end did not answer the good-bye must not stay open besides the next one
    }
  }

  async #open(connectionId: string, hubSays: HubSays, signal: AbortSignal) {
    let connection: Connection | undefined;
    const send = (message: Parameters<Connection['send']>[0]) => connection?.send(message);
    const handlers = {
      onMessage: (message: ConnectResponse) => this.#receive(message, connectionId, send, hubSays),
      onGarbage: (error: Error) => this.#options.log.warn({ err: error }, 'dropped a message of the hub'),
    };
    const failures: string[] = [];
    const { links } = this.#options;
    for (const load of this.#failedAttempts === 0 ? links.slice(0, 1) : links) {
      const link = await load();
      try {
        connection = await link.open(connectionId, handlers, signal);
        return { connection, name: link.name };
      } catch (error) {
        signal.throwIfAborted();
        failures.push(`${link.name}: ${describe(error as Error)}`);
      }
    }
    this.#failedAttempts += 1;
    throw new Error(`the hub cannot be reached (${failures.join('; ')})`);
  }

  #receive(
    { body }: ConnectResponse,
    connectionId: string,
    send: Connection['send'],
    hubSays: HubSays,
  ): void {
    const { streams, reporter, tokens } = this.#options;
    switch (body.case) {
      case 'welcome':
        if (body.value.connectionId === connectionId) hubSays.welcome();
        return;
      case 'goodbye':
        if (body.value.connectionId === connectionId) hubSays.goodbye(body.value.reason);
        return;
      case 'snapshot':
        this.#take(body.value, send);
        return;
      case 'statusAck':
        reporter.acknowledged(body.value.sequence);
        return;
      case 'tokenResult':
        tokens.take(body.value);
        return;
      case 'streamOpen':
        streams.open(body.value, send);
        return;
      case 'streamData':
        streams.data(body.value);
        return;
      case 'streamCredit':
        streams.credit(body.value);
        return;
      case 'streamEnd':
        streams.end(body.value.streamId);
        return;
      case undefined:
        this.#options.log.warn('dropped a message of the hub that this agent does not know');
    }
  }

  /** Stores first, answers then, acts last. */
  #take(snapshot: SignedSnapshot, send: Connection['send'], retryMs = STORE_RETRY_MS.first): void {
    const { desired, log, onDesired } = this.#options;
    clearTimeout(this.#storeRetry);
    const before = desired.version;
    try {
      const changed = desired.accept(snapshot);
      answer(send, desired.version, '', desired.version);
      if (desired.version === before) return;
      log.info({ version: formatVersion(desired.version), pods: changed.size }, 'took a new desired state');
      onDesired(changed);
    } catch (error) {
      if (!(error instanceof SnapshotRefused)) throw error;
      log.error({ err: error }, 'refused a snapshot of the hub');
      answer(send, undefined, describe(error), before);
      if (!isStorageFailure(error)) return;
      const next = Math.min(retryMs * 2, STORE_RETRY_MS.longest);
      this.#storeRetry = setTimeout(() => this.#take(snapshot, send, next), retryMs);
    }
  }

  #disconnected(error: Error): void {
    this.#options.onState({ connected: false, transport: undefined, error: describe(error) });
    if (!this.#abort.signal.aborted) this.#options.log.warn({ err: error }, 'no connection to the hub');
  }
}

function answer(
  send: Connection['send'],
  offered: Version | undefined,
  refusal: string,
  held: Version | undefined,
): void {
  send({ case: 'snapshotResult', value: { refusal, ...(offered && { offered }), ...(held && { held }) } });
}

/** Storing fails for the device's reasons and may work later; all other refusals are for good. */
function isStorageFailure(error: SnapshotRefused): boolean {
  return (
    error.cause !== undefined &&
    String((error.cause as { code?: string }).code).match(/^(SQLITE_|E)/) !== null
  );
}

/** The message and those of its causes, for one line. */
function describe(error: Error): string {
  const cause = error.cause instanceof Error ? `: ${describe(error.cause)}` : '';
  return (error.message || (error as { code?: string }).code || error.name) + cause;
}

function raise(error: Error): never {
  throw error;
}

async function deadline(promise: Promise<void>): Promise<void> {
  const timeout = new AbortController();
  const tooLate = sleep(WELCOME_TIMEOUT_MS, undefined, { signal: timeout.signal, ref: false }).then(
    () => {
      throw new Error(`the hub did not welcome this device within ${WELCOME_TIMEOUT_MS / 1000} s`);
    },
    () => {},
  );
  try {
    await Promise.race([promise, tooLate]);
  } finally {
    timeout.abort();
  }
}
