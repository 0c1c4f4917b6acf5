import type { Logger } from 'pino';
import { Limit } from '../../../../proto/limit.ts';
import { isCandidate } from '../../../fleet/candidate.ts';
import type { MeasuredGate } from '../../../fleet/measured-gate.ts';
import type { RolloutObject, WaveStatus } from '../../../fleet/rollout.ts';
import type { Registry } from '../../../registry/registry.ts';
import { atMs, type Tracked } from '../device-plan.ts';
import type { Answer, Finding, Question } from '../measured-gates.ts';
import { askDevices, type MeasuredDevice, type UsageOf } from './ask-devices.ts';
import { askPrometheus } from './ask-prometheus.ts';
import { askWebhook } from './ask-webhook.ts';

export interface GateMeasurementsOptions {
  readonly registry: Registry;
  readonly log: Logger;
  readonly usageOf: UsageOf;
  /** Origins of servers that gates may ask. */
  readonly servers: ReadonlySet<string>;
  /** There is an answer for this key. */
  readonly onAnswer: (key: string) => void;
}

/** A rollout, and where it is. */
export interface Measured {
  readonly rollout: RolloutObject;
  readonly waves: readonly WaveStatus[];
  readonly devices: readonly Tracked[];
}

/** Questions of one rollout. */
interface Open {
  readonly rollout: string;
  readonly abort: AbortController;
  readonly asked: Set<string>;
  readonly answers: Map<string, Answer>;
}

const REQUESTS_AT_ONCE = 16;

/**
 * Asks what gates want to know, aside from the passes of rollouts, which take the answers. Nothing in it outlives the hub:
 * what was asked and is not answered is asked again by the one after it.
 */
export class GateMeasurements {
  readonly #options: GateMeasurementsOptions;
  readonly #limit = new Limit(REQUESTS_AT_ONCE);
  /** By workload: of its newest rollout alone. */
  readonly #open = new Map<string, Open>();

  constructor(options: GateMeasurementsOptions) {
    this.#options = options;
  }

  answersFor(key: string, { metadata }: RolloutObject): readonly Answer[] {
    const open = this.#open.get(key);
    return open?.rollout === metadata.uid ? [...(open?.answers.values() ?? [])] : [];
  }

  /** Asks what is not being asked. Whatever is no question any more is forgotten, with its answer: call it when that is stored. */
  ask(key: string, questions: readonly Question[], measured: Measured): void {
    const { uid = '' } = measured.rollout.metadata;
    const before = this.#open.get(key);
    if (before?.rollout !== uid || questions.length === 0) this.forget(key);
    if (questions.length === 0) return;
    const open = this.#open.get(key) ?? newlyOpen(uid);
    this.#open.set(key, open);
    const wanted = new Set(questions.map(idOf));
    for (const id of open.answers.keys()) if (!wanted.has(id)) open.answers.delete(id);
    for (const question of questions) {
      const id = idOf(question);
      if (open.asked.has(id) || open.answers.has(id)) continue;
      open.asked.add(id);
      void this.#answer(key, open, question, measured);
    }
  }

  /** Nobody wants to know any more. */
  forget(key: string): void {
    this.#open.get(key)?.abort.abort(new Error('nobody waits for the answer any more'));
    this.#open.delete(key);
  }

  close(): void {
    for (const key of [...this.#open.keys()]) this.forget(key);
  }

  async #answer(key: string, open: Open, question: Question, measured: Measured): Promise<void> {
    const finding = await this.#find(question, measured, open.abort.signal).catch(
      (error: unknown): Finding => ({ result: 'inconclusive', message: reasonOf(error) }),
    );
    const { log, onAnswer } = this.#options;
    open.asked.delete(idOf(question));
    if (open.abort.signal.aborted) return;
    log.debug({ key, ...question, ...finding }, 'a gate has answered');
    open.answers.set(idOf(question), { ...question, ...finding });
    onAnswer(key);
  }

  async #find(question: Question, measured: Measured, signal: AbortSignal): Promise<Finding> {
    const { rollout, devices } = measured;
    const gate = rollout.spec.policy.gates.measured?.find(({ name }) => name === question.gate);
    if (gate?.devices)
      return askDevices(gate.devices, {
        devices: measuredOf(question, devices),
        usageOf: this.#options.usageOf,
        sinceMs: atMs(question.askedAt),
        signal,
      });
    return this.#limit.run(() => this.#findOutside(gate, question, measured, signal));
  }

  async #findOutside(
    gate: MeasuredGate | undefined,
    question: Question,
    measured: Measured,
    signal: AbortSignal,
  ): Promise<Finding> {
    signal.throwIfAborted();
    const { registry, servers } = this.#options;
    const { namespace = '' } = measured.rollout.metadata;
    const asking = { registry, namespace, servers, signal };
    if (gate?.prometheus) return askPrometheus(asking, gate.prometheus);
    if (gate?.webhook) return askWebhook(asking, gate.webhook, aboutWave(question, measured));
    throw new Error('it says nobody who could be asked');
  }
}

function newlyOpen(rollout: string): Open {
  return { rollout, abort: new AbortController(), asked: new Set(), answers: new Map() };
}

function idOf({ wave, gate, askedAt }: Question): string {
  return `${wave}/${gate}/${askedAt}`;
}

/** Who of the wave has taken the revision, and has it still. */
function measuredOf({ wave }: Question, devices: readonly Tracked[]): MeasuredDevice[] {
  return devices.flatMap(({ node, isOnline, row, next }) =>
    row.wave === wave && row.step === 'Succeeded'
      ? next.filter((pod) => !isCandidate(pod)).map((pod) => ({ node, isOnline, pod }))
      : [],
  );
}

/** What a webhook is told. The same question has the same `id`. */
function aboutWave(question: Question, { rollout, waves }: Measured): object {
  const { metadata, spec } = rollout;
  const { gates: _, ...wave } = waves.find(({ name }) => name === question.wave) ?? { name: question.wave };
  return {
    id: `${metadata.uid}/${idOf(question)}`,
    gate: question.gate,
    askedAt: question.askedAt,
    rollout: { namespace: metadata.namespace, name: metadata.name, uid: metadata.uid },
    workload: spec.workload,
    revision: { from: spec.from, to: spec.to },
    wave,
  };
}

/** Node's errors of connections have their reason in a code, some nowhere else. */
function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || 'it could not be asked';
}
