/*
 * The kubelet's back-off: 10 s, doubling to 5 min; forgotten once a container has run for 10 min.
 * https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy
 */

const FIRST_MS = 10_000;
const MAX_MS = 300_000;
const RESET_AFTER_MS = 600_000;

/** How long to wait before trying again what has failed `failures` times in a row. */
export function backOffMs(failures: number): number {
  if (failures <= 0) return 0;
  return Math.min(FIRST_MS * 2 ** (failures - 1), MAX_MS);
}

/** A container that ended for the first time is restarted at once; the back-off begins with the second time. */
export function restartDelayMs(crashes: number): number {
  return backOffMs(crashes - 1);
}

/** How many ends in a row there were, this one included, when `before` came before it. */
export function crashesAfter(before: number, ranMs: number): number {
  return ranMs >= RESET_AFTER_MS ? 1 : before + 1;
}
