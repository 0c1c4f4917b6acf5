import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import {
  REBOOT_FAILED,
  REBOOT_REFUSED,
  REBOOTING,
  type RebootRequest,
  rebootRequestOf,
} from '../../proto/node-reboot.ts';
import { answerTo } from '../../proto/request-answer.ts';
import type { EventRecorder } from '../reconcile/event-recorder.ts';
import type { AgentState } from '../state/agent-state.ts';
import type { OwnNode } from '../state/desired-state.ts';
import { decideReboot } from './reboot-plan.ts';

/** Starts the device anew. Resolves with why that failed, if it did: that it succeeds nobody is there to hear. */
export type Reboot = () => Promise<string | undefined>;

export interface RebootsOptions {
  readonly state: Pick<AgentState, 'isRebootDone' | 'saveRebootDone'>;
  readonly events: Pick<EventRecorder, 'record'>;
  /** Resolves when the hub knows what was recorded, or cannot be told. */
  readonly told: () => Promise<void>;
  /** Undefined: the owner of the device does not let the hub do this. */
  readonly reboot: Reboot | undefined;
  readonly bootId: string;
  /** Ms of the wall clock. */
  readonly now: () => number;
  readonly log: Logger;
}

/** A hub that does not answer keeps nobody from what it asked for. */
const TELL_MS = 3_000;

/** Does what the device is asked to at its hub: to start anew. Each request is answered once, whatever happens meanwhile. */
export class Reboots {
  readonly #options: RebootsOptions;
  /** Of this process: what cannot be stored stays refused as well. */
  readonly #answered = new Set<string>();

  constructor(options: RebootsOptions) {
    this.#options = options;
  }

  /** What is asked by this Node. */
  async take(node: OwnNode): Promise<void> {
    const request = rebootRequestOf(node);
    if (!request) return;
    const { state, bootId, now, reboot } = this.#options;
    const isDone = this.#answered.has(request.id) || state.isRebootDone(request.id);
    const decision = decideReboot(request, {
      isDone,
      bootId,
      wallMs: now(),
      isAllowed: reboot !== undefined,
    });
    if (decision.type === 'nothing' || !this.#settle(node, request)) return;
    if (decision.type === 'refuse') this.#tell(node, request, REBOOT_REFUSED, decision.why);
    else if (reboot) await this.#reboot(node, request, reboot);
  }

  /** Whether it is stored that this request is done with. What cannot be stored could be done twice: it is refused. */
  #settle(node: OwnNode, request: RebootRequest): boolean {
    this.#answered.add(request.id);
    try {
      this.#options.state.saveRebootDone(request.id);
      return true;
    } catch (error) {
      this.#options.log.error({ err: error, request: request.id }, 'a request to reboot could not be stored');
      const why = `the request cannot be stored on this device: ${(error as Error).message}`;
      this.#tell(node, request, REBOOT_REFUSED, why);
      return false;
    }
  }

  async #reboot(node: OwnNode, request: RebootRequest, reboot: Reboot): Promise<void> {
    this.#tell(node, request, REBOOTING, 'the device is started anew, as somebody asked at the hub');
    await Promise.race([this.#options.told(), sleep(TELL_MS, undefined, { ref: false })]);
    const failure = await reboot();
    if (failure !== undefined) this.#tell(node, request, REBOOT_FAILED, failure);
  }

  #tell({ metadata }: OwnNode, request: RebootRequest, reason: string, text: string): void {
    const { events, log } = this.#options;
    const { name, uid = '' } = metadata;
    log.info({ request: request.id, reason }, text);
    const type = reason === REBOOTING ? 'Normal' : 'Warning';
    const subject = { kind: 'Node', namespace: '', name, uid, fieldPath: '' };
    events.record(subject, type, reason, answerTo(request.id, text));
  }
}
