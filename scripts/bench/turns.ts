import { setTimeout } from 'node:timers/promises';

/** One repetition of something: resolves with how many milliseconds what is measured took, or with more than that. */
export type Try<T = number> = () => Promise<T>;

/**
 * Repeats several things in turns, so that whatever else the machine does meets all of them alike, and each from a random
 * phase of the second: a loop falls in step with timers of those whom it measures.
 */
export async function inTurns<Name extends string, T = number>(
  repeat: number,
  tries: Readonly<Record<Name, Try<T>>>,
): Promise<Record<Name, T[]>> {
  const names = Object.keys(tries) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as T[]])) as Record<Name, T[]>;
  for (let round = 0; round < repeat; round += 1) {
    for (const [index] of names.entries()) {
      const name = names[(index + round) % names.length] as Name; // nobody always follows the same other
      await setTimeout(Math.random() * 1000);
      samples[name].push(await tries[name]());
    }
  }
  return samples;
}

/** How long it takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/** Does all of the work, at most `width` at a time. */
export async function atOnce<T>(width: number, items: readonly T[], work: (item: T) => Promise<unknown>) {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
