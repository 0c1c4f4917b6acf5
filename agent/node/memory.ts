/** By then what starting and connecting left behind is no longer used. */
const AFTER_MS = 2_000;

let scheduled = false;

/**
 * Collects, once, what starting left on the heap. An idle agent allocates so little that V8 would not do it for hours,
 * and a small device would go without that memory: 1 to 3 MiB, measured. Needs Node's `--expose-gc`: making a context that
 * has it, as `node:vm` could, would cost a part of what is won.
 */
export function collectStartUpGarbage(): void {
  const { gc } = globalThis;
  if (scheduled || !gc) return;
  scheduled = true;
  setTimeout(() => void gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }), AFTER_MS).unref();
}
