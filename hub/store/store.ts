/** One key as it is now. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** The revision that last wrote the key. */
  readonly revision: number;
}

/** One write, as the history tells it. A `value` of undefined is a deletion. */
export interface Change {
  readonly key: string;
  readonly value: string | undefined;
  readonly revision: number;
  /** What the key held before; undefined when it did not exist. */
  readonly previous: Entry | undefined;
}

/** A condition of a write: the key's revision is still this one; 0 means that the key does not exist. */
export interface Compare {
  readonly key: string;
  readonly revision: number;
}

/** `value` undefined deletes. */
export interface Write {
  readonly key: string;
  readonly value: string | undefined;
}

/** `revision` is that of the last write; undefined when a condition did not hold and nothing was written. */
export interface CommitResult {
  readonly revision: number | undefined;
}

/** The history asked for has been compacted: read the current state instead. */
export class CompactedError extends Error {
  readonly requested: number;
  readonly compacted: number;

  constructor(requested: number, compacted: number) {
    super(`history since revision ${requested} is gone: it begins after ${compacted}`);
    this.name = 'CompactedError';
    this.requested = requested;
    this.compacted = compacted;
  }
}

/** The store could not make a write durable (a full disk, a failing one). Nothing of it was stored. */
export class StoreWriteError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'StoreWriteError';
  }
}

/**
 * A revisioned key–value log with etcd's contract, so that the same hub runs on SQLite or on etcd. It knows nothing of
 * Kubernetes: keys are paths, values are strings.
 *
 * One revision, growing by one with each write, is shared by all keys. A commit is all or nothing, and durable before
 * it is answered.
 */
export interface Store {
  /** The newest revision, 0 when nothing was ever written. */
  readonly revision: number;

  /**
   * Everything under a prefix, in the order of the keys' bytes, read as it is asked for: there may be more than should be
   * in memory twice. Nothing else may be asked of the store until it is read to its end.
   */
  list(prefix: string): Iterable<Entry>;
  /** Checks all conditions, then writes all, in one step. Rejects with StoreWriteError if it cannot be made durable. */
  commit(conditions: readonly Compare[], writes: readonly Write[]): Promise<CommitResult>;
  /** Every change after `revision`, in order. Throws CompactedError if part of that is gone. */
  history(prefix: string, revision: number): Change[];
  /** Calls `listener` with each commit's changes after they are durable, in order. Returns the way to stop. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void;
  /** Forgets what was superseded or deleted at or before `revision`. */
  compact(revision: number): void;
  close(): void;
}
