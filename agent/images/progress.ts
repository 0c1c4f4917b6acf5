/** What is done sooner is not worth a word. */
const LONG_MS = 10_000;
const STEPS = 4;

/** The quarter of a download that is to be told of now; undefined when there is nothing to tell. `told`: the one before. */
export function stepToTell(
  { done, total }: { readonly done: number; readonly total: number },
  told: number,
  sinceMs: number,
): number | undefined {
  const step = Math.floor((done / total) * STEPS);
  return step > told && step < STEPS && sinceMs >= LONG_MS ? step : undefined;
}
