import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { readSmallFile } from '../../proto/small-file.ts';
import { isDeleted, type Pod, podKey } from '../pod/pod.ts';
import type { EventRecorder } from '../reconcile/event-recorder.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { DesiredState } from '../state/desired-state.ts';
import { timeText } from '../time-text.ts';
import { followDirectory } from './follow-directory.ts';
import type { ManifestFile, StaticPodRecord } from './static-pods-plan.ts';

export interface StaticPodsOptions {
  /** The directory of manifests; undefined: there are no such pods. */
  readonly path: string | undefined;
  readonly node: string;
  readonly desired: Pick<DesiredState, 'setStaticPods'>;
  readonly state: Pick<AgentState, 'staticPods' | 'saveStaticPods'>;
  readonly events: Pick<EventRecorder, 'record'>;
  /** Ms of the wall clock. */
  readonly now: () => number;
  /** These are wanted otherwise than before. */
  readonly onChange: (uids: readonly string[]) => void;
  readonly log: Logger;
}

export interface ManifestProblem {
  readonly file: string;
  readonly problem: string;
}

const MOST_BYTES = 1_048_576;

/**
 * The pods that the device's owner put into a directory: wanted from the first moment, whatever the hub says, if it says
 * anything. What was read is stored, so that a file that can not be read later ends nothing; what reads manifests is loaded
 * only for files that say something else than what is stored.
 */
export class StaticPods {
  readonly #options: StaticPodsOptions;
  #records: readonly StaticPodRecord[];
  #files: ReadonlyMap<string, ManifestFile> = new Map();
  #problems: readonly ManifestProblem[] = [];
  #stopFollowing: () => void = () => {};
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: StaticPodsOptions) {
    this.#options = options;
    this.#records = options.path === undefined ? [] : options.state.staticPods().map(parseRecord);
    this.#publish();
  }

  /** Resolves when what the directory says now is wanted; what it says later follows. Rejects never. */
  async start(): Promise<void> {
    const { path, log } = this.#options;
    if (path === undefined) return;
    try {
      this.#stopFollowing = followDirectory(path, () => this.#look());
    } catch (error) {
      log.error(
        { err: error, path },
        'changes of the directory of static pods are not seen before the next start',
      );
    }
    this.#look();
    await this.#looking;
  }

  /** Files that make no pod as they are now. */
  get problems(): readonly ManifestProblem[] {
    return this.#problems;
  }

  /** The pod by the device's uid. */
  get(uid: string): Pod | undefined {
    return this.#records.find(({ pod }) => pod.metadata.uid === uid)?.pod;
  }

  /** Nothing is left of the pod: what waited for its name may begin. */
  ended(uid: string): void {
    const record = this.#records.find(({ pod }) => pod.metadata.uid === uid);
    if (!record || !isDeleted(record.pod)) return;
    this.#take(this.#records.filter((each) => each !== record));
    this.#look();
  }

  close(): void {
    this.#isClosed = true;
    this.#stopFollowing();
  }

  #look(): void {
    this.#looking = this.#looking.then(() => this.#lookOnce());
  }

  async #lookOnce(): Promise<void> {
    const { path = '', now, log } = this.#options;
    if (this.#isClosed) return;
    try {
      const contents = readContents(path);
      if (contents.size === 0 && this.#records.length === 0 && this.#problems.length === 0) return;
      this.#files = await this.#filesOf(contents);
      const { planStaticPods } = await import('./static-pods-plan.ts');
      const plan = planStaticPods(this.#records, this.#files, timeText(now()));
      this.#tell([...plan.problems].map(([file, problem]) => ({ file, problem })));
      this.#take(plan.records);
    } catch (error) {
      log.error({ err: error, path }, 'the static pods could not be looked at: they go on as they are');
      this.#tell([{ file: path, problem: (error as Error).message }]);
    }
  }

  /** Nothing is read twice; least of all what is stored as it is. */
  async #filesOf(contents: ReadonlyMap<string, Content>): Promise<Map<string, ManifestFile>> {
    const files = new Map<string, ManifestFile>();
    for (const [file, { text, contentHash, problem }] of contents) {
      const known = this.#files.get(file);
      if (problem !== undefined) files.set(file, { contentHash, problem });
      else if (this.#isStored(file, contentHash)) files.set(file, { contentHash });
      else if (known?.contentHash === contentHash && (known.pod || known.problem)) files.set(file, known);
      else files.set(file, { contentHash, ...(await this.#read(text)) });
    }
    return files;
  }

  #isStored(file: string, contentHash: string): boolean {
    const isThis = (record: StaticPodRecord) => record.file === file && record.contentHash === contentHash;
    return this.#records.some((record) => isThis(record) && !isDeleted(record.pod));
  }

  async #read(text: string): Promise<Pick<ManifestFile, 'pod' | 'problem'>> {
    const { readManifest } = await import('./manifest.ts');
    const { node, now } = this.#options;
    try {
      return { pod: await readManifest(text, { node, seen: timeText(now()) }) };
    } catch (error) {
      return { problem: (error as Error).message };
    }
  }

  #take(records: readonly StaticPodRecord[]): void {
    const before = new Map(this.#records.map((record) => [record.pod.metadata.uid, record]));
    const changed = records.filter((record) => before.get(record.pod.metadata.uid) !== record);
    if (changed.length === 0 && records.length === before.size) return;
    const { state, log, onChange } = this.#options;
    const pods = changed.filter((record) => before.get(record.pod.metadata.uid)?.pod !== record.pod);
    this.#records = records;
    try {
      state.saveStaticPods(records.map((record) => [record.pod.metadata.uid, JSON.stringify(record)]));
    } catch (error) {
      log.warn({ err: error }, 'the static pods could not be stored: free space on the data directory');
    }
    this.#publish();
    for (const { file, pod } of pods)
      log.info({ file, pod: podKey(pod) }, `a static pod ${isDeleted(pod) ? 'is ended' : 'is run'}`);
    if (pods.length > 0) onChange(pods.map(({ pod }) => pod.metadata.uid));
  }

  #publish(): void {
    const pods = this.#records.map(({ pod }) => [pod.metadata.uid, pod] as const);
    this.#options.desired.setStaticPods(new Map(pods));
  }

  /** What is new: one line of the log and one event for each. */
  #tell(problems: readonly ManifestProblem[]): void {
    const { log, events, node } = this.#options;
    const told = new Set(this.#problems.map(({ file, problem }) => `${file}\n${problem}`));
    this.#problems = problems;
    for (const { file, problem } of problems) {
      if (told.has(`${file}\n${problem}`)) continue;
      log.error({ file, problem }, 'a manifest of a static pod is not valid: what it ran goes on as before');
      const subject = { kind: 'Node', namespace: '', name: node, uid: '', fieldPath: '' };
      events.record(subject, 'Warning', 'InvalidStaticPod', `${file}: ${problem}`);
    }
  }
}

interface Content {
  readonly text: string;
  readonly contentHash: string;
  readonly problem?: string;
}

/** As the kubelet: every file whose name does not begin with a dot. None where no directory is. Throws. */
function readContents(path: string): Map<string, Content> {
  const contents = new Map<string, Content>();
  for (const name of namesIn(path)) {
    const content = readContent(join(path, name));
    if (content) contents.set(join(path, name), content);
  }
  return contents;
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Undefined for what is no file any more, or is none: to read a pipe would keep all others waiting. */
function readContent(file: string): Content | undefined {
  try {
    if (!statSync(file).isFile()) return undefined;
    const text = readSmallFile(file, MOST_BYTES);
    return { text, contentHash: createHash('sha256').update(text).digest('hex') };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return { text: '', contentHash: '', problem: `it cannot be read: ${(error as Error).message}` };
  }
}

function parseRecord(json: string): StaticPodRecord {
  return JSON.parse(json) as StaticPodRecord;
}
