import type { JobCondition } from 'kubernetes-types/batch/v1.d.ts';
import { formatTime } from '../../resources/time.ts';
import type { JobObject } from '../../resources/typed.ts';
import type { EventText } from '../event-recorder.ts';
import { conditionOf, type Verdict } from './job-verdict.ts';

/** What a Job's status says of it, and what is said when that changes. */
export interface ConditionsPlan {
  readonly conditions: JobCondition[];
  readonly events: readonly EventText[];
}

/** First what has been decided, then, when all of its pods have ended and are counted, that it is so. */
export function planConditions(
  job: JobObject,
  verdict: Verdict | undefined,
  isOver: boolean,
  nowMs: number,
): ConditionsPlan {
  if (!verdict) return planSuspension(job, nowMs);
  const before = job.status?.conditions ?? [];
  const { type, reason, message } = verdict;
  const told = (what: string) => [...before, condition(what, 'True', reason, message, nowMs)];
  if (!conditionOf(job, type)) return { conditions: told(type), events: [] };
  if (!isOver) return { conditions: before, events: [] };
  if (type === 'FailureTarget')
    return { conditions: told('Failed'), events: [{ type: 'Warning', reason, message }] };
  const event = { type: 'Normal', reason: 'Completed', message: 'Job completed' } as const;
  return { conditions: told('Complete'), events: [event] };
}

function planSuspension({ metadata, spec, status }: JobObject, nowMs: number): ConditionsPlan {
  const before = status?.conditions ?? [];
  const wasSuspended = before.some((each) => each.type === 'Suspended' && each.status === 'True');
  if (metadata.deletionTimestamp !== undefined || !!spec.suspend === wasSuspended)
    return { conditions: before, events: [] };
  const others = before.filter(({ type }) => type !== 'Suspended');
  const changed = spec.suspend
    ? condition('Suspended', 'True', 'JobSuspended', 'Job suspended', nowMs)
    : condition('Suspended', 'False', 'JobResumed', 'Job resumed', nowMs);
  const reason = spec.suspend ? 'Suspended' : 'Resumed';
  return {
    conditions: [...others, changed],
    events: [{ type: 'Normal', reason, message: changed.message ?? '' }],
  };
}

function condition(
  type: string,
  status: 'True' | 'False',
  reason: string,
  message: string,
  nowMs: number,
): JobCondition {
  const at = formatTime(nowMs);
  return { type, status, reason, message, lastProbeTime: at, lastTransitionTime: at };
}
