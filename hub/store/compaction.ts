import type { Store } from './store.ts';

/** How long the history is kept: a watch that was interrupted for less goes on where it was. */
const KEEP_MS = 600_000;
/** A little at a time: one step neither holds up the writes between nor takes much memory. */
const EVERY_MS = 10_000;

/** Forgets, from time to time, the history that is older than ten minutes. Returns the way to stop. */
export function startCompaction(store: Store): () => void {
  let marks = [{ atMs: performance.now(), revision: 0 }];
  const timer = setInterval(() => {
    const nowMs = performance.now();
    marks.push({ atMs: nowMs, revision: store.revision });
    const old = marks.filter(({ atMs }) => atMs <= nowMs - KEEP_MS);
    marks = marks.filter((mark) => !old.includes(mark));
    const target = old.at(-1)?.revision ?? 0;
    if (target > 0) store.compact(target);
  }, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
