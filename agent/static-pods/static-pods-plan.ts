import { graceSecondsOf, isDeleted, type Pod, podKey } from '../pod/pod.ts';

/* Which pods the files of the directory make. Pure. */

/** A pod of a file, stored: it goes on whatever becomes of the file, until that says something else that is valid. */
export interface StaticPodRecord {
  readonly file: string;
  /** Of the content that it was last read from. */
  readonly contentHash: string;
  /** With a deletionTimestamp while it is being ended. */
  readonly pod: Pod;
}

/** A file as it is now: the pod, or what is wrong with it; neither where the content is that of the record. */
export interface ManifestFile {
  readonly contentHash: string;
  readonly pod?: Pod;
  readonly problem?: string;
}

export interface StaticPodsPlan {
  readonly records: readonly StaticPodRecord[];
  /** By file. */
  readonly problems: ReadonlyMap<string, string>;
}

/** `now`: RFC 3339. What stays as it is is the same object. */
export function planStaticPods(
  before: readonly StaticPodRecord[],
  files: ReadonlyMap<string, ManifestFile>,
  now: string,
): StaticPodsPlan {
  const leaving = before.filter(({ pod }) => isDeleted(pod));
  const running = before.filter(({ pod }) => !isDeleted(pod));
  const problems = new Map<string, string>();
  const next: StaticPodRecord[] = [...leaving];
  const taken = new Map<string, string>(); // namespace/name → file
  const take = (record: StaticPodRecord) => {
    taken.set(podKey(record.pod), record.file);
    next.push(record);
  };
  const fresh: [string, ManifestFile & { pod: Pod }][] = [];
  for (const record of running) {
    const file = files.get(record.file);
    if (file?.problem !== undefined) problems.set(record.file, file.problem);
    if (file && (file.pod === undefined || isSame(record, file.pod)))
      take(file.problem === undefined ? upToDate(record, file.contentHash) : record);
  }
  const kept = new Set(next.map(({ file, pod }) => (isDeleted(pod) ? '' : file)));
  for (const [name, file] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (file.problem !== undefined) problems.set(name, file.problem);
    else if (file.pod && !kept.has(name)) fresh.push([name, { ...file, pod: file.pod }]);
  }
  const ended = running.filter(({ file }) => !kept.has(file));
  for (const [file, { contentHash, pod }] of fresh) {
    const other = taken.get(podKey(pod));
    const renamed = ended.find((record) => isSame(record, pod));
    if (other !== undefined) {
      problems.set(file, `its pod ${podKey(pod)} is that of ${other} already`);
      const own = ended.find((record) => record.file === file);
      if (own) take(own); // what it ran goes on
    } else if (renamed) take({ ...renamed, file, contentHash });
    else if (![...leaving, ...ended].some((record) => podKey(record.pod) === podKey(pod)))
      take({ file, contentHash, pod });
    else taken.set(podKey(pod), file); // its turn is when the one before has ended
  }
  const isKept = (record: StaticPodRecord) =>
    next.some(({ pod }) => pod.metadata.uid === record.pod.metadata.uid);
  next.push(...ended.filter((record) => !isKept(record)).map((record) => endedAt(record, now)));
  return { records: next, problems };
}

function isSame(record: StaticPodRecord, { metadata }: Pod): boolean {
  return record.pod.metadata.uid === metadata.uid;
}

function upToDate(record: StaticPodRecord, contentHash: string): StaticPodRecord {
  return record.contentHash === contentHash ? record : { ...record, contentHash };
}

function endedAt(record: StaticPodRecord, now: string): StaticPodRecord {
  const { pod } = record;
  const metadata = {
    ...pod.metadata,
    deletionTimestamp: now,
    deletionGracePeriodSeconds: graceSecondsOf(pod),
  };
  return { ...record, pod: { ...pod, metadata } };
}
