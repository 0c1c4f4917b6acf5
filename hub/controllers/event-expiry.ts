import { objectKey } from '../resources/object.ts';
import { events } from '../resources/table-of-resources.ts';
import { parseTime } from '../resources/time.ts';
import type { EventObject } from '../resources/typed.ts';
import { type ControllerContext, type Running, splitKey, unlessGone } from './controller.ts';

const LIFETIME_MS = 3_600_000;
/** Events that end close together go together. */
const SLACK_MS = 1000;

function lastSeenMs({ series, lastTimestamp, eventTime, firstTimestamp, metadata }: EventObject): number {
  const times = [
    series?.lastObservedTime,
    lastTimestamp,
    eventTime,
    firstTimestamp,
    metadata.creationTimestamp,
  ];
  return times.map(parseTime).find((time) => time !== undefined) ?? 0;
}

/** Removes Events an hour after they last happened. One timer, for the one that ends first. */
export function startEventExpiry(
  { registry, log, now }: ControllerContext,
  lifetimeMs: number = LIFETIME_MS,
): Running {
  const ends = new Map<string, number>(); // in the order of ends: who is seen again goes to the back
  let timer: NodeJS.Timeout | undefined;
  let removal: Promise<unknown> = Promise.resolve();
  let isStopped = false;

  const setTimer = () => {
    const [first] = ends.values();
    if (timer !== undefined || first === undefined || isStopped) return;
    timer = setTimeout(removeEnded, Math.max(0, first - now()) + Math.min(SLACK_MS, lifetimeMs));
  };
  const removeEnded = () => {
    timer = undefined;
    const ended: string[] = [];
    for (const [key, endMs] of ends) {
      if (endMs > now()) break;
      ended.push(key);
      ends.delete(key);
    }
    removal = Promise.all(
      ended.map((key) => {
        const { namespace, name } = splitKey(key);
        return unlessGone(registry.delete(events, namespace, name, {}));
      }),
    ).catch((error: unknown) => log.warn({ err: error }, 'old events not removed'));
    setTimer();
  };

  const existing = registry.list(events).items as readonly EventObject[];
  for (const event of existing.toSorted((a, b) => lastSeenMs(a) - lastSeenMs(b)))
    ends.set(objectKey(event), lastSeenMs(event) + lifetimeMs);
  setTimer();
  const end = registry.watch(events, { fromRevision: registry.revision }, (event) => {
    if (event.type === 'SYNCED') return;
    const key = objectKey(event.object);
    ends.delete(key);
    // By our clock: a client's may be ahead, and one event must not keep all behind it.
    const seenMs = Math.min(lastSeenMs(event.object as EventObject), now());
    if (event.type !== 'DELETED') ends.set(key, seenMs + lifetimeMs);
    setTimer();
  });
  return {
    stop: async () => {
      isStopped = true;
      end();
      clearTimeout(timer);
      await removal;
    },
  };
}
