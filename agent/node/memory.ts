/** By then what starting, connecting or a change of the pods left behind is no longer used. */
const QUIET_MS = 3_000;

let timer: NodeJS.Timeout | undefined;

/**
 * Collects what is left on the heap, once nothing has happened for a while: called for all that happens. An idle agent
 * allocates so little that V8 would not do it for hours, and a small device would go without that memory: 1 to 3 MiB after
 * a start, up to 6 after pods came and went, measured. Needs Node's `--expose-gc`: making a context that has it, as
 * `node:vm` could, would cost a part of what is won.
 */
export function collectGarbageWhenQuiet(): void {
  const { gc } = globalThis;
  if (!gc) return;
  const collect = () => void gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  timer ??= setTimeout(collect, QUIET_MS).unref();
  timer.refresh();
}
