import type { Logger } from 'pino';
import type { Registry, WatchEvent } from '../registry/registry.ts';
import { ApiError } from '../resources/api-error.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { type Failure, WorkQueue } from '../sync/work-queue.ts';
import type { EventRecorder } from './event-recorder.ts';

/** What every controller works with. */
export interface ControllerContext {
  readonly registry: Registry;
  readonly log: Logger;
  readonly now: () => number;
  readonly events: EventRecorder;
}

/** Something that was started: resolves when nothing of it runs any more. */
export interface Running {
  stop(): Promise<void>;
}

/** A change of one object. */
export type ObjectEvent = Exclude<WatchEvent, { type: 'SYNCED' }>;

export interface ControllerOptions {
  readonly name: string;
  /** Which keys a change of which resource concerns. Everything that exists counts as a change at the start. */
  readonly watches: readonly {
    readonly resource: ResourceDefinition;
    readonly keys: (event: ObjectEvent) => Iterable<string>;
  }[];
  /** The same for all resources of some sort, also those that are defined later. */
  readonly watchesAll?: {
    readonly select: (resource: ResourceDefinition) => boolean;
    readonly keys: (resource: ResourceDefinition, event: ObjectEvent) => Iterable<string>;
  };
  /** See `WorkQueueOptions.sync`. */
  readonly sync: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  readonly concurrency?: number;
}

/** A controller that runs: `add` and `addAfter` wake a key for reasons that no watch can tell. */
export interface RunningController extends Running {
  add(key: string): void;
  addAfter(key: string, delayMs: number): void;
}

/**
 * Joins watches, keys, a queue and a sync. All watches begin in the same turn and before the first sync, so that a
 * sync never runs on half of what exists. The registry serves watches from memory: a running one cannot fall behind.
 */
export function startController(
  { registry, log }: Pick<ControllerContext, 'registry' | 'log'>,
  { name, watches, watchesAll, sync, concurrency = 64 }: ControllerOptions,
): RunningController {
  const part = log.child({ controller: name });
  const queue = new WorkQueue({ sync, concurrency, onError: (failure) => logFailure(part, failure) });
  const ends = watches.map(({ resource, keys }) =>
    registry.watch(resource, {}, (event) => {
      if (event.type === 'SYNCED') return;
      for (const key of keys(event)) queue.add(key);
    }),
  );
  if (watchesAll)
    ends.push(
      registry.watchAll(watchesAll.select, (resource, event) => {
        if (event.type === 'SYNCED') return;
        for (const key of watchesAll.keys(resource, event)) queue.add(key);
      }),
    );
  return {
    add: (key) => queue.add(key),
    addAfter: (key, delayMs) => queue.addAfter(key, delayMs),
    stop: () => {
      for (const end of ends) end();
      return queue.stop();
    },
  };
}

/** The 1st, 2nd, 4th, 8th … failure in a row; one conflict is no news, somebody else was quicker. */
function logFailure(log: Logger, { key, error, failures, retryInMs }: Failure): void {
  const isConflict = error instanceof ApiError && error.code === 409;
  const level = isConflict && failures < 4 ? 'debug' : 'warn';
  if (Number.isInteger(Math.log2(failures)))
    log[level]({ key, err: error, failures, retryInMs }, 'sync failed');
}

/** Undefined when the object is gone, or another one has its name: what was wanted no longer matters. */
export async function unlessGone<T>(write: Promise<T>): Promise<T | undefined> {
  try {
    return await write;
  } catch (error) {
    if (error instanceof ApiError && (error.code === 404 || error.code === 409)) return undefined;
    throw error;
  }
}

/** `namespace/name`, or `name`, taken apart. */
export function splitKey(key: string): { namespace: string | undefined; name: string } {
  const slash = key.indexOf('/');
  if (slash < 0) return { namespace: undefined, name: key };
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
