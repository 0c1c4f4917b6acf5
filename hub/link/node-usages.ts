import type { Logger } from 'pino';
import type { NodeStats, Usage as UsageMessage } from '../../proto/gen/holdfast/v1/link_pb.ts';
import { Limit } from '../../proto/limit.ts';
import type { NodeUsage, Usage } from '../resources/resource-metrics.ts';
import type { Sessions } from './sessions.ts';

export interface NodeUsagesOptions {
  readonly sessions: Pick<Sessions, 'get' | 'onChange'>;
  /** Asks a device. Rejects with the signal's reason when it is aborted. */
  readonly ask: (node: string, signal: AbortSignal) => Promise<NodeStats>;
  /** What the object has of the pod that the device knows by this uid. */
  readonly objectUid: (node: string, podUid: string) => string;
  readonly now: () => number;
  readonly log: Logger;
  /** How long an answer is good for. */
  readonly freshMs?: number;
  /** How long a device may take. */
  readonly timeoutMs?: number;
}

interface AskedUsage {
  readonly askedMs: number;
  readonly answer: Promise<NodeUsage | undefined>;
}

const FRESH_MS = 10_000;
/** A device that is asked for the first time takes a second. */
const TIMEOUT_MS = 5_000;
/** To wait costs nothing; what is bounded is how many answers come at once. */
const AT_ONCE = 256;

/** What the devices use, asked of them when somebody wants to know. Who asks for the same meanwhile gets the same answer. */
export class NodeUsages {
  readonly #options: Required<NodeUsagesOptions>;
  readonly #limit = new Limit(AT_ONCE);
  /** Of connected nodes alone, and no longer than they are fresh. */
  readonly #answers = new Map<string, AskedUsage>();

  constructor(options: NodeUsagesOptions) {
    this.#options = { freshMs: FRESH_MS, timeoutMs: TIMEOUT_MS, ...options };
    options.sessions.onChange((node) => this.#answers.delete(node));
  }

  /**
   * Undefined when the node is not connected or does not answer in time: never rejects. Who must know how it is since
   * something happened gets no answer to a question from before `sinceMs`.
   */
  async of(node: string, sinceMs = 0): Promise<NodeUsage | undefined> {
    const { sessions, freshMs, now } = this.#options;
    if (!sessions.get(node)) return undefined;
    const known = this.#answers.get(node);
    if (known !== undefined && known.askedMs >= sinceMs) return known.answer;
    const asked = { askedMs: now(), answer: this.#limit.run(() => this.#ask(node)) };
    this.#answers.set(node, asked);
    void asked.answer.then(() => setTimeout(() => this.#forget(node, asked), freshMs).unref());
    return asked.answer;
  }

  async #ask(node: string): Promise<NodeUsage | undefined> {
    const { ask, objectUid, now, log, timeoutMs } = this.#options;
    try {
      const stats = await ask(node, AbortSignal.timeout(timeoutMs));
      return nodeUsageOf(stats, now(), (podUid) => objectUid(node, podUid));
    } catch (error) {
      log.debug({ err: error, node }, 'a node did not tell what it uses');
      return undefined;
    }
  }

  #forget(node: string, asked: AskedUsage): void {
    if (this.#answers.get(node) === asked) this.#answers.delete(node);
  }
}

/** A device's answer that came just now. */
export function nodeUsageOf(
  { device, containers }: NodeStats,
  atMs: number,
  objectUid: (podUid: string) => string = (podUid) => podUid,
): NodeUsage {
  const measured = containers.flatMap(({ podUid, container: name, usage }) =>
    usage ? [{ podUid: objectUid(podUid), name, usage: usageOf(usage) }] : [],
  );
  return {
    atMs,
    device: device && usageOf(device),
    pods: Map.groupBy(measured, ({ podUid }) => podUid),
  };
}

function usageOf({ cpuNanocores, windowMs, workingSetBytes }: UsageMessage): Usage {
  return { cpuNanocores, windowMs, workingSetBytes };
}
