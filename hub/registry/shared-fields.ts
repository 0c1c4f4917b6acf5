import type { KubeObject } from '../resources/object.ts';

/** Enough for every way in which a fleet's objects are written; what does not repeat must not stay. */
const MAX_SHARED = 4096;

const shared = new Map<string, object>(); // by their JSON

/**
 * Lets objects that were written in the same way hold one copy of what `managedFields` says of it: of pods that one
 * template makes, it is half of the memory.
 */
export function shareFields({ metadata: { managedFields } }: KubeObject): void {
  for (const entry of managedFields ?? []) {
    if (!entry.fieldsV1) continue;
    const key = JSON.stringify(entry.fieldsV1);
    const known = shared.get(key);
    if (known) {
      entry.fieldsV1 = known;
    } else {
      if (shared.size >= MAX_SHARED) shared.clear();
      shared.set(key, entry.fieldsV1);
    }
  }
}
