/*
 * Which images a workload had before those that it has now: what it may be gone back to with, perhaps without a connection. Pure.
 */

/** Labels that tell pods of one revision from those of another. */
const OF_REVISIONS = ['pod-template-hash', 'controller-revision-hash', 'pod-template-generation'];
/** And those that tell apart pods that are otherwise the same. */
const OF_PODS = [
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/job-name',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-completion-index',
  'job-name',
  'controller-uid',
];

export interface RevisionImages {
  readonly current: readonly string[];
  readonly previous: readonly string[];
  /** When that was last another, by the wall clock. */
  readonly atMs: number;
}

/** How long a workload that has no pods here any more is remembered: it may be between two revisions. */
const REMEMBERED_MS = 3_600_000;

/**
 * Pods of one workload have the same; undefined for a pod that is of none: one of no revision has nothing to be gone back to,
 * and a device whose pods are made one by one would remember each of them.
 */
export function workloadOf(pod: {
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
}): string | undefined {
  const all = Object.entries(pod.labels ?? {});
  if (!all.some(([key]) => OF_REVISIONS.includes(key))) return undefined;
  const labels = all.filter(([key]) => !OF_REVISIONS.includes(key) && !OF_PODS.includes(key));
  if (labels.length === 0) return undefined;
  const sorted = labels.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${key}=${value}`);
  return `${pod.namespace}/${sorted.join(',')}`;
}

/** What is remembered of each workload now. Unchanged records are the same objects; undefined: forget it. */
export function nextRevisions(
  before: ReadonlyMap<string, RevisionImages>,
  now: ReadonlyMap<string, ReadonlySet<string>>,
  nowMs: number,
): Map<string, RevisionImages | undefined> {
  const changes = new Map<string, RevisionImages | undefined>();
  for (const workload of new Set([...before.keys(), ...now.keys()])) {
    const known = before.get(workload) ?? { current: [], previous: [], atMs: nowMs };
    const current = [...(now.get(workload) ?? [])].sort();
    if (isOver(known, current, nowMs)) changes.set(workload, undefined);
    if (JSON.stringify(known.current) === JSON.stringify(current)) continue;
    const left = known.current.filter((image) => !current.includes(image));
    // While the new one only joins the old one, nothing has been left yet.
    changes.set(workload, { current, previous: left.length > 0 ? left : known.previous, atMs: nowMs });
  }
  return changes;
}

/** What must not be removed. */
export function rememberedImages(records: Iterable<RevisionImages>, nowMs: number): string[] {
  return [...records].flatMap((record) =>
    isOver(record, record.current, nowMs) ? [] : [...record.current, ...record.previous],
  );
}

function isOver({ atMs }: RevisionImages, current: readonly string[], nowMs: number): boolean {
  return current.length === 0 && Math.abs(nowMs - atMs) > REMEMBERED_MS;
}
