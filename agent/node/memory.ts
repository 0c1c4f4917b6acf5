import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** By then what starting and connecting left behind is no longer used. */
const AFTER_MS = 2_000;

let scheduled = false;

/**
 * Collects, once, what starting left on the heap. An idle agent allocates so little that V8 would not do it for hours,
 * and a small device would go without that memory: 1 to 3 MiB, measured.
 */
export function collectStartUpGarbage(): void {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
  }, AFTER_MS).unref();
}
