import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Logger } from 'pino';
import { makeDirectory } from '../../proto/make-directory.ts';
import { writeDurably } from './write-durably.ts';

/** Who this device is to its hub. Made once, at enrolment. */
export interface Identity {
  readonly cluster: string;
  readonly node: string;
  /** Host of the hub, and its ports. */
  readonly hub: { readonly host: string; readonly grpcPort: number; readonly mqttPort: number };
  /** PEM: the hub's CA, the device's client certificate, and the key of it that never leaves the device. */
  readonly caCertificate: string;
  readonly certificate: string;
  readonly key: string;
  /** PEM: the X25519 key that secrets are sealed to. */
  readonly sealingKey: string;
  /** SPKI DER, base64: the hub's key that signs snapshots. */
  readonly snapshotKey: string;
  /** How to reach the hub, where what it joined with has said so. */
  readonly transport?: 'auto' | 'mqtt' | 'grpc';
}

/** An image of the engine that is this agent's to remove. */
export interface PulledImage {
  /** The engine's. */
  readonly id: string;
  /** As pods name it. */
  readonly name: string;
  /** By the wall clock. */
  readonly atMs: number;
}

const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE identity (slot INTEGER PRIMARY KEY CHECK (slot = 1), json TEXT NOT NULL) STRICT;
  CREATE TABLE desired (slot INTEGER PRIMARY KEY CHECK (slot = 1), snapshot BLOB NOT NULL) STRICT;
  CREATE TABLE finished (uid TEXT PRIMARY KEY, status TEXT NOT NULL) STRICT;
`;
/** Made where it is missing, and ignored by agents that do not know it: either version can follow the other. */
const ADDED_TABLES = `
  CREATE TABLE IF NOT EXISTS pod_updates (uid TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, lease TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS reboots (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE IF NOT EXISTS agent_updates (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, verdict TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS account_tokens (uid TEXT PRIMARY KEY, tokens TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS pulled_images (id TEXT PRIMARY KEY, name TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS revision_images (workload TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS verdicts (uid TEXT PRIMARY KEY, verdict TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS static_pods (uid TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT;
`;
const SNAPSHOTS_KEPT = 2;
/** Requests that snapshots can still have are among the newest by far. */
const REBOOTS_KEPT = 64;
const AGENT_UPDATES_KEPT = 64;

/**
 * What the agent must not forget: in one SQLite file (WAL, `synchronous=FULL`), which one process at a time can open. Identity and snapshots are also kept as
 * files, from which a damaged database is made anew. Nothing is written while nothing changes.
 */
export class AgentState {
  /** Undefined: nothing is kept outside of memory. */
  readonly #dir: string | undefined;
  readonly #db: Database.Database;

  private constructor(dir: string | undefined, db: Database.Database) {
    this.#dir = dir;
    this.#db = db;
  }

  /**
   * Opens the state in `dir`, which is made if need be. A damaged database is renamed aside and rebuilt. Throws when the
   * directory cannot be used.
   */
  static open(dir: string, log: Logger): AgentState {
    makeDirectory(dir, 'data-dir');
    mkdirSync(join(dir, 'snapshots'), { recursive: true, mode: 0o700 });
    const path = join(dir, 'agent.db');
    try {
      return new AgentState(dir, openDatabase(path));
    } catch (error) {
      if (isInUse(error)) {
        const advice = 'another agent is using it: stop that one, or give this one a --data-dir of its own';
        throw new Error(`open the agent's database "${path}": ${advice}`, { cause: error });
      }
      if (!isDamage(error)) throw new Error(`open the agent's database "${path}"`, { cause: error });
      const aside = `${path}.damaged-${Date.now()}`;
      log.error({ err: error, aside }, 'the database is damaged: renamed aside, rebuilding it from files');
      renameSync(path, aside);
      for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
      const state = new AgentState(dir, openDatabase(path));
      state.#rebuild(dir, log);
      return state;
    }
  }

  /** A state that ends with this process: of a simulated device, of which there are thousands. */
  static inMemory(): AgentState {
    const db = new Database(':memory:');
    migrate(db);
    return new AgentState(undefined, db);
  }

  identity(): Identity | undefined {
    const json = this.#db.prepare('SELECT json FROM identity').pluck().get() as string | undefined;
    return json === undefined ? undefined : (JSON.parse(json) as Identity);
  }

  saveIdentity(identity: Identity): void {
    const json = JSON.stringify(identity);
    if (this.#dir !== undefined) writeDurably(identityPath(this.#dir), Buffer.from(json));
    this.#db.prepare('INSERT OR REPLACE INTO identity VALUES (1, ?)').run(json);
  }

  /** Encoded SignedSnapshots that may be taken up at start, the best first: the database's, then the files'. */
  snapshots(): Uint8Array[] {
    const current = this.#db.prepare('SELECT snapshot FROM desired').pluck().get() as Uint8Array | undefined;
    const files = snapshotFiles(this.#dir).map((file) => readFileSync(file));
    return current ? [current, ...files] : files;
  }

  /** Durable when it returns. Throws when it cannot be made so, and then nothing has changed. */
  saveSnapshot(name: string, snapshot: Uint8Array): void {
    const file = this.#dir === undefined ? undefined : join(this.#dir, 'snapshots', name);
    if (file !== undefined) writeDurably(file, snapshot);
    try {
      this.#db.prepare('INSERT OR REPLACE INTO desired VALUES (1, ?)').run(snapshot);
    } catch (error) {
      if (file !== undefined) rmSync(file, { force: true });
      throw error;
    }
    for (const old of snapshotFiles(this.#dir).slice(SNAPSHOTS_KEPT)) rmSync(old);
  }

  /** The last status, JSON, of pods whose containers have ended for good, by uid. */
  finishedPods(): Map<string, string> {
    const rows = this.#db.prepare('SELECT uid, status FROM finished').all() as {
      uid: string;
      status: string;
    }[];
    return new Map(rows.map(({ uid, status }) => [uid, status]));
  }

  saveFinishedPod(uid: string, status: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO finished VALUES (?, ?)').run(uid, status);
  }

  forgetFinishedPod(uid: string): void {
    this.#db.prepare('DELETE FROM finished WHERE uid = ?').run(uid);
  }

  /** Why pods are to end although nobody deleted them, JSON, by uid. */
  verdicts(): Map<string, string> {
    const rows = this.#db.prepare('SELECT uid, verdict FROM verdicts').all() as {
      uid: string;
      verdict: string;
    }[];
    return new Map(rows.map(({ uid, verdict }) => [uid, verdict]));
  }

  saveVerdict(uid: string, verdict: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO verdicts VALUES (?, ?)').run(uid, verdict);
  }

  forgetVerdict(uid: string): void {
    this.#db.prepare('DELETE FROM verdicts WHERE uid = ?').run(uid);
  }

  /** What was decided about pods that are to take another's place, JSON, by uid. */
  podUpdates(): Map<string, string> {
    const rows = this.#db.prepare('SELECT uid, record FROM pod_updates').all() as {
      uid: string;
      record: string;
    }[];
    return new Map(rows.map(({ uid, record }) => [uid, record]));
  }

  savePodUpdate(uid: string, record: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO pod_updates VALUES (?, ?)').run(uid, record);
  }

  forgetPodUpdate(uid: string): void {
    this.#db.prepare('DELETE FROM pod_updates WHERE uid = ?').run(uid);
  }

  /** What programs on the device have asked to be left alone for, JSON, by name. */
  leases(): Map<string, string> {
    const rows = this.#db.prepare('SELECT name, lease FROM leases').all() as {
      name: string;
      lease: string;
    }[];
    return new Map(rows.map(({ name, lease }) => [name, lease]));
  }

  saveLease(name: string, lease: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO leases VALUES (?, ?)').run(name, lease);
  }

  forgetLease(name: string): void {
    this.#db.prepare('DELETE FROM leases WHERE name = ?').run(name);
  }

  /** The first tokens of service accounts that a pod was given, JSON. */
  accountTokens(uid: string): string | undefined {
    return this.#db.prepare('SELECT tokens FROM account_tokens WHERE uid = ?').pluck().get(uid) as
      | string
      | undefined;
  }

  /** Of several pods at once, by uid. */
  saveAccountTokens(rows: readonly (readonly [uid: string, tokens: string])[]): void {
    this.#db.transaction(() => {
      const statement = this.#db.prepare('INSERT OR REPLACE INTO account_tokens VALUES (?, ?)');
      for (const row of rows) statement.run(...row);
    })();
  }

  forgetAccountTokens(uid: string): void {
    this.#db.prepare('DELETE FROM account_tokens WHERE uid = ?').run(uid);
  }

  /** What this agent has pulled, and nobody before it had put on the engine. */
  pulledImages(): PulledImage[] {
    return this.#db.prepare('SELECT id, name, at_ms AS atMs FROM pulled_images').all() as PulledImage[];
  }

  savePulledImage({ id, name, atMs }: PulledImage): void {
    this.#db.prepare('INSERT OR REPLACE INTO pulled_images VALUES (?, ?, ?)').run(id, name, Math.round(atMs));
  }

  forgetPulledImage(id: string): void {
    this.#db.prepare('DELETE FROM pulled_images WHERE id = ?').run(id);
  }

  /** Which images workloads have now and had before, JSON, by workload. */
  revisionImages(): Map<string, string> {
    const rows = this.#db.prepare('SELECT workload, record FROM revision_images').all() as {
      workload: string;
      record: string;
    }[];
    return new Map(rows.map(({ workload, record }) => [workload, record]));
  }

  saveRevisionImages(workload: string, record: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO revision_images VALUES (?, ?)').run(workload, record);
  }

  forgetRevisionImages(workload: string): void {
    this.#db.prepare('DELETE FROM revision_images WHERE workload = ?').run(workload);
  }

  /** The pods of the device's own manifests, JSON, in the order in which they were stored. */
  staticPods(): string[] {
    return this.#db.prepare('SELECT record FROM static_pods ORDER BY rowid').pluck().all() as string[];
  }

  /** All of them. */
  saveStaticPods(rows: readonly (readonly [uid: string, record: string])[]): void {
    this.#db.transaction(() => {
      this.#db.prepare('DELETE FROM static_pods').run();
      const statement = this.#db.prepare('INSERT INTO static_pods VALUES (?, ?)');
      for (const row of rows) statement.run(...row);
    })();
  }

  /** Whether the request to start this device anew has been taken up, or refused. */
  isRebootDone(id: string): boolean {
    return this.#db.prepare('SELECT 1 FROM reboots WHERE id = ?').get(id) !== undefined;
  }

  /** Durable when it returns. Throws when it cannot be made so. */
  saveRebootDone(id: string): void {
    this.#db.transaction(() => {
      this.#db.prepare('INSERT OR IGNORE INTO reboots (id) VALUES (?)').run(id);
      this.#db
        .prepare('DELETE FROM reboots WHERE number <= (SELECT max(number) FROM reboots) - ?')
        .run(REBOOTS_KEPT);
    })();
  }

  /** What was decided about a request to run another version of the agent, JSON. */
  agentUpdate(id: string): string | undefined {
    return this.#db.prepare('SELECT verdict FROM agent_updates WHERE id = ?').pluck().get(id) as
      | string
      | undefined;
  }

  /** Durable when it returns. Throws when it cannot be made so. */
  saveAgentUpdate(id: string, verdict: string): void {
    this.#db.transaction(() => {
      this.#db.prepare('INSERT OR REPLACE INTO agent_updates (id, verdict) VALUES (?, ?)').run(id, verdict);
      this.#db
        .prepare('DELETE FROM agent_updates WHERE number <= (SELECT max(number) FROM agent_updates) - ?')
        .run(AGENT_UPDATES_KEPT);
    })();
  }

  /** A copy that another agent can open, in a directory that is there. */
  copyTo(dir: string): void {
    const path = join(dir, 'agent.db');
    rmSync(path, { force: true });
    this.#db.prepare('VACUUM INTO ?').run(path);
    chmodSync(path, 0o600); // it holds the device's keys
  }

  close(): void {
    this.#db.close();
  }

  #rebuild(dir: string, log: Logger): void {
    try {
      const json = readFileSync(identityPath(dir), 'utf8');
      JSON.parse(json);
      this.#db.prepare('INSERT OR REPLACE INTO identity VALUES (1, ?)').run(json);
    } catch (error) {
      log.error(
        { err: error },
        'the identity is lost too: join again with a new token; containers go on running',
      );
    }
  }
}

function identityPath(dir: string): string {
  return join(dir, 'identity.json');
}

/** The kept snapshots, the newest first: they are numbered so that they sort. */
function snapshotFiles(dir: string | undefined): string[] {
  if (dir === undefined) return [];
  return readdirSync(join(dir, 'snapshots'))
    .filter((name) => !name.endsWith('.tmp'))
    .sort()
    .reverse()
    .map((name) => join(dir, 'snapshots', name));
}

function openDatabase(path: string): Database.Database {
  const db = new Database(path);
  try {
    db.pragma('locking_mode = EXCLUSIVE'); // one agent: the kernel lets go of the lock when the process ends
    db.pragma('journal_mode = WAL');
    chmodSync(path, 0o600); // it holds the device's keys; SQLite gives its other files the same mode
    db.pragma('synchronous = FULL');
    const found = db.pragma('quick_check', { simple: true });
    if (found !== 'ok') throw new DamageError(String(found));
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

class DamageError extends Error {}

function isInUse(error: unknown): boolean {
  return (error as { code?: string }).code === 'SQLITE_BUSY';
}

function isDamage(error: unknown): boolean {
  const { code } = error as { code?: string };
  return (
    error instanceof DamageError || code === 'SQLITE_NOTADB' || code?.startsWith('SQLITE_CORRUPT') === true
  );
}

function migrate(db: Database.Database): void {
  setUp(db);
  db.exec(ADDED_TABLES);
}

function setUp(db: Database.Database): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version === SCHEMA_VERSION) return;
  if (version > SCHEMA_VERSION) {
    throw new Error(`it has schema ${version}, this agent knows ${SCHEMA_VERSION}: use the newer agent`);
  }
  db.transaction(() => {
    db.exec(SCHEMA);
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
  })();
}
