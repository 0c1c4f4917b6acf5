import type { NodeCondition } from 'kubernetes-types/core/v1.d.ts';
import { AGENT_ACCEPTED_CONDITION, AGENT_STAGED_CONDITION } from '../../proto/agent-release.ts';
import { answerTo } from '../../proto/request-answer.ts';
import type { EventRecorder } from '../reconcile/event-recorder.ts';
import type { OwnNode } from '../state/desired-state.ts';
import type { Told } from './update-plan.ts';

export interface UpdateReporterOptions {
  readonly node: string;
  readonly events: Pick<EventRecorder, 'record'>;
  /** Conditions of the Node from now on, besides its others. */
  readonly onConditions: (conditions: readonly NodeCondition[]) => void;
}

/** How far a request is. */
export interface UpdateReport {
  readonly id: string;
  readonly staged?: Told;
  readonly accepted?: Told;
}

/** Says what becomes of a request: in conditions of the Node, and in its events. */
export class UpdateReporter {
  readonly #options: UpdateReporterOptions;

  constructor(options: UpdateReporterOptions) {
    this.#options = options;
  }

  report({ id, staged, accepted }: UpdateReport): void {
    const condition = (type: string, { status, reason, message }: Told): NodeCondition => ({
      ...{ type, status, reason },
      message: answerTo(id, message),
    });
    this.#options.onConditions([
      ...(staged ? [condition(AGENT_STAGED_CONDITION, staged)] : []),
      ...(accepted ? [condition(AGENT_ACCEPTED_CONDITION, accepted)] : []),
    ]);
  }

  /** `node` is what the snapshot has of it: without it the event is not about a certain Node of that name. */
  event(node: OwnNode | undefined, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const uid = node?.metadata.uid ?? '';
    const subject = { kind: 'Node', namespace: '', name: this.#options.node, uid, fieldPath: '' };
    this.#options.events.record(subject, type, reason, message);
  }
}
