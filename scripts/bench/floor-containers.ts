import { COMMAND, IMAGES } from './deployment.ts';
import type { RawEngine } from './raw-engine.ts';
import { atOnce } from './turns.ts';

/** As many containers as the engine starts best at once. */
const FLOOR_AT_ONCE = 4;

/** As many containers as there would be pods, by the engine's own calls. `ids` takes those that were made. */
export function startContainers(
  engine: RawEngine,
  count: number,
  ids: string[],
  command: readonly string[] = COMMAND,
): Promise<void> {
  return atOnce(FLOOR_AT_ONCE, Array.from({ length: count }, String), async () => {
    const id = await engine.create(IMAGES[0], command);
    ids.push(id);
    await engine.start(id);
  });
}

export function removeContainers(engine: RawEngine, ids: readonly string[]): Promise<void> {
  return atOnce(FLOOR_AT_ONCE, ids, (id) => engine.remove(id));
}

/** As pods are ended: told to, waited for, and removed. */
export function endContainers(engine: RawEngine, ids: readonly string[], graceSeconds: number) {
  return atOnce(FLOOR_AT_ONCE, ids, async (id) => {
    await engine.stop(id, graceSeconds);
    await engine.remove(id);
  });
}
