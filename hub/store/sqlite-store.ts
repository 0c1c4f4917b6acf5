import { chmodSync } from 'node:fs';
import Database from 'better-sqlite3';
import {
  type Change,
  type CommitResult,
  CompactedError,
  type Compare,
  type Entry,
  type Store,
  StoreWriteError,
  type Write,
} from './store.ts';

/**
 * `log` is the whole store: one row per revision. The newest row of a key is its state, a row without a value its
 * deletion. `previous` is the revision of the key's row before, so that a deletion can tell what it deleted.
 */
const FIRST_SCHEMA = `
  CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    key      TEXT    NOT NULL,
    previous INTEGER NOT NULL,
    value    TEXT
  ) STRICT;
  CREATE INDEX log_key ON log (key, revision);
  CREATE TABLE compaction (revision INTEGER NOT NULL) STRICT;
  INSERT INTO compaction VALUES (0);
`;

/** What makes each version of the schema of the one before; the first, of nothing. What was released is never changed. */
const MIGRATIONS: readonly string[] = [FIRST_SCHEMA];

/** Of every key that exists, without the values: they may be large. */
const REVISIONS = `
  SELECT key, revision FROM log
  WHERE revision IN (SELECT max(revision) FROM log GROUP BY key) AND value IS NOT NULL
`;

type KeyRevision = Pick<Row, 'key' | 'revision'>;

interface Row {
  readonly revision: number;
  readonly key: string;
  readonly previous: number;
  readonly value: string | null;
}

interface Pending {
  readonly conditions: readonly Compare[];
  readonly writes: readonly Write[];
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: Error) => void;
}

/**
 * The Store on one SQLite file (WAL, `synchronous=FULL`), which no other process may open as long as this one has it:
 * revisions are counted in memory. Commits that arrive in one turn of the event loop share one transaction, and so one
 * fsync.
 */
export class SqliteStore implements Store {
  readonly #db: Database.Database;
  readonly #path: string;
  readonly #revisions = new Map<string, number>(); // of every key that exists
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();
  readonly #insert: Database.Statement<[number, string, number, string | null]>;
  #pending: Pending[] = [];
  #revision: number;
  #compacted: number;

  private constructor(db: Database.Database, path: string) {
    this.#db = db;
    this.#path = path;
    this.#insert = db.prepare('INSERT INTO log (revision, key, previous, value) VALUES (?, ?, ?, ?)');
    this.#revision = db.prepare('SELECT coalesce(max(revision), 0) FROM log').pluck().get() as number;
    this.#compacted = db.prepare('SELECT revision FROM compaction').pluck().get() as number;
    for (const { key, revision } of db.prepare<[], KeyRevision>(REVISIONS).iterate())
      this.#revisions.set(key, revision);
  }

  /** Opens or creates the file. Throws an error that says what to do if it is in use, or no store of this version. */
  static open(path: string): SqliteStore {
    try {
      const db = new Database(path);
      db.pragma('locking_mode = EXCLUSIVE'); // the kernel lets go of the lock when the process ends, however it ends
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = FULL');
      chmodSync(path, 0o600); // it holds Secrets; SQLite gives its other files the same mode
      migrate(db);
      return new SqliteStore(db, path);
    } catch (error) {
      throw new Error(`open the hub's database "${path}": ${adviceFor(error)}`, { cause: error });
    }
  }

  get revision(): number {
    return this.#revision;
  }

  *list(prefix: string): Generator<Entry, void> {
    for (const { key, value, revision } of this.#newest(prefix)) yield { key, value: value ?? '', revision };
  }

  commit(conditions: readonly Compare[], writes: readonly Write[]): Promise<CommitResult> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ conditions, writes, resolve, reject });
      if (this.#pending.length === 1) setImmediate(() => this.#flush());
    });
  }

  history(prefix: string, revision: number): Change[] {
    if (revision < this.#compacted) throw new CompactedError(revision, this.#compacted);
    if (revision >= this.#revision) return [];
    const rows = this.#db
      .prepare<[number, string, string], Row & { previousValue: string | null }>(
        `SELECT log.*, before.value AS previousValue FROM log LEFT JOIN log AS before ON before.revision = log.previous
         WHERE log.revision > ? AND log.key >= ? AND log.key < ? ORDER BY log.revision`,
      )
      .all(revision, prefix, endOf(prefix));
    return rows.map(({ previousValue, ...row }) =>
      changeOf(
        row,
        row.previous ? { key: row.key, value: previousValue ?? '', revision: row.previous } : undefined,
      ),
    );
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  compact(revision: number): void {
    const target = Math.min(revision, this.#revision);
    if (target <= this.#compacted) return;
    this.#db.transaction(() => {
      // A row may go when a later one of its key, itself not after the target, took its place …
      this.#db
        .prepare(
          `DELETE FROM log WHERE revision IN
             (SELECT previous FROM log WHERE revision > ? AND revision <= ? AND previous > 0)`,
        )
        .run(this.#compacted, target);
      // … and a deletion itself once nothing before it is left; the newest row stays, for it holds the revision.
      this.#db
        .prepare('DELETE FROM log WHERE revision BETWEEN ? AND ? AND revision < ? AND value IS NULL')
        .run(this.#compacted, target, this.#revision);
      this.#db.prepare('UPDATE compaction SET revision = ?').run(target);
    })();
    this.#compacted = target;
  }

  close(): void {
    this.#flush();
    this.#db.close();
  }

  #newest(prefix: string): IterableIterator<Row> {
    return this.#db
      .prepare<[string, string], Row>(
        `SELECT revision, key, previous, value FROM log
         WHERE revision IN (SELECT max(revision) FROM log WHERE key >= ? AND key < ? GROUP BY key)
           AND value IS NOT NULL ORDER BY key`,
      )
      .iterate(prefix, endOf(prefix));
  }

  #flush(): void {
    const batch = this.#pending;
    this.#pending = [];
    if (batch.length === 0) return;
    const outcome = new Batch(this.#revisions, this.#revision);
    const results = batch.map(({ conditions, writes }) => outcome.add(conditions, writes));
    let changes: Change[];
    try {
      changes = this.#write(outcome.rows);
    } catch (error) {
      const question = /^SQLITE_(FULL|IOERR)/.test(codeOf(error)) ? '; is the disk full?' : '';
      const failure = new StoreWriteError(`write to "${this.#path}": nothing was stored${question}`, error);
      for (const { reject } of batch) reject(failure);
      return;
    }
    for (const { key, revision, value } of outcome.rows) {
      if (value === null) this.#revisions.delete(key);
      else this.#revisions.set(key, revision);
    }
    this.#revision = outcome.revision;
    if (changes.length > 0) for (const listener of this.#listeners) listener(changes);
    batch.forEach(({ resolve }, index) => {
      resolve({ revision: results[index] });
    });
  }

  #write(rows: readonly Row[]): Change[] {
    if (rows.length === 0) return [];
    const before = this.#db.prepare<[number], Row>('SELECT * FROM log WHERE revision = ?');
    return this.#db.transaction(() =>
      rows.map((row) => {
        this.#insert.run(row.revision, row.key, row.previous, row.value);
        const previous = row.previous ? before.get(row.previous) : undefined;
        return changeOf(
          row,
          previous && { key: row.key, value: previous.value ?? '', revision: previous.revision },
        );
      }),
    )();
  }
}

/** What a batch of commits will write: each commit sees the ones before it, the store not before all are durable. */
class Batch {
  readonly rows: Row[] = [];
  readonly #stored: ReadonlyMap<string, number>;
  readonly #own = new Map<string, number>(); // revision of each key that the batch writes, 0 when it deletes it
  revision: number;

  constructor(stored: ReadonlyMap<string, number>, revision: number) {
    this.#stored = stored;
    this.revision = revision;
  }

  /** The commit's revision, or undefined when one of its conditions does not hold. */
  add(conditions: readonly Compare[], writes: readonly Write[]): number | undefined {
    if (conditions.some(({ key, revision }) => this.#revisionOf(key) !== revision)) return undefined;
    for (const { key, value } of writes) {
      const previous = this.#revisionOf(key);
      this.revision += 1;
      this.rows.push({ revision: this.revision, key, previous, value: value ?? null });
      this.#own.set(key, value === undefined ? 0 : this.revision);
    }
    return this.revision;
  }

  #revisionOf(key: string): number {
    return this.#own.get(key) ?? this.#stored.get(key) ?? 0;
  }
}

function changeOf(row: Row, previous: Entry | undefined): Change {
  return { key: row.key, value: row.value ?? undefined, revision: row.revision, previous };
}

/** The smallest string after every string with the prefix: U+FFFF sorts after all that keys contain. */
function endOf(prefix: string): string {
  return `${prefix}\uffff`;
}

/** SQLite's name of the failure; empty when it is none of SQLite's. */
function codeOf(error: unknown): string {
  return error instanceof Database.SqliteError ? error.code : '';
}

class NewerSchemaError extends Error {
  constructor(found: number, known: number) {
    super(`it has schema ${found}, and this program knows ${known}`);
  }
}

function adviceFor(error: unknown): string {
  if (error instanceof NewerSchemaError)
    return 'a newer hub has written it: start that one again, or restore a backup from before it';
  switch (codeOf(error)) {
    case 'SQLITE_BUSY':
      return 'another hub is using it: stop that one, or give this one a --data-dir of its own';
    case 'SQLITE_FULL':
      return 'make room on its disk';
    case 'SQLITE_READONLY':
    case 'SQLITE_CANTOPEN':
      return 'let the user of the hub read and write it, and its directory';
    default:
      return 'restore it from a backup, or move it aside to begin with an empty hub';
  }
}

/** Throws for a newer schema. All steps that are missing, in one transaction: a hub that is killed meanwhile finds the version before. */
function migrate(db: Database.Database): void {
  const version = versionOf(db);
  if (version > MIGRATIONS.length) throw new NewerSchemaError(version, MIGRATIONS.length);
  db.transaction(() => {
    for (const step of MIGRATIONS.slice(version)) db.exec(step);
    if (version !== MIGRATIONS.length) db.pragma(`user_version = ${MIGRATIONS.length}`);
  })();
}

const versionOf = (db: Database.Database) => db.pragma('user_version', { simple: true }) as number;
