import type { Logger } from 'pino';
import type { Verdict } from '../pod/observation.ts';
import type { PodStatus } from '../pod/pod.ts';
import type { AgentState } from '../state/agent-state.ts';

type Writer = Pick<
  AgentState,
  'finishedPods' | 'forgetFinishedPod' | 'forgetVerdict' | 'saveFinishedPod' | 'saveVerdict' | 'verdicts'
>;

/**
 * Which pods are over for good, and which are to end although nobody deleted them: also after the agent started anew. A
 * disk without room for that keeps nobody from being ended, which may give it room: it is written later.
 */
export class Endings {
  readonly #state: Writer;
  readonly #log: Logger;
  readonly #finished: Map<string, string>;
  readonly #verdicts: Map<string, Verdict>;
  readonly #unsaved = new Map<string, () => void>();

  constructor(state: Writer, log: Logger) {
    this.#state = state;
    this.#log = log;
    this.#finished = state.finishedPods();
    this.#verdicts = new Map([...state.verdicts()].map(([uid, json]) => [uid, JSON.parse(json) as Verdict]));
  }

  finished(): Iterable<string> {
    return this.#finished.keys();
  }

  isFinished(uid: string): boolean {
    return this.#finished.has(uid);
  }

  /** The status that it ended with. */
  statusOf(uid: string): PodStatus | undefined {
    const saved = this.#finished.get(uid);
    return saved === undefined ? undefined : (JSON.parse(saved) as PodStatus);
  }

  verdictOf(uid: string): Verdict | undefined {
    return this.#verdicts.get(uid);
  }

  finish(uid: string, status: PodStatus): void {
    const json = JSON.stringify(status);
    this.#finished.set(uid, json);
    this.#save(`finished ${uid}`, () => this.#state.saveFinishedPod(uid, json));
  }

  condemn(uid: string, verdict: Verdict): void {
    this.#verdicts.set(uid, verdict);
    this.#save(`verdict ${uid}`, () => this.#state.saveVerdict(uid, JSON.stringify(verdict)));
  }

  /** Nothing of the pod is left. */
  forget(uid: string): void {
    this.#unsaved.delete(`finished ${uid}`);
    this.#unsaved.delete(`verdict ${uid}`);
    if (this.#finished.delete(uid)) this.#state.forgetFinishedPod(uid);
    if (this.#verdicts.delete(uid)) this.#state.forgetVerdict(uid);
  }

  /** Writes what could not be written. */
  retry(): void {
    for (const [what, save] of [...this.#unsaved]) this.#save(what, save);
  }

  #save(what: string, save: () => void): void {
    try {
      save();
      this.#unsaved.delete(what);
    } catch (error) {
      if (!this.#unsaved.has(what))
        this.#log.warn({ err: error, what }, 'the end of a pod can not be written yet');
      this.#unsaved.set(what, save);
    }
  }
}
