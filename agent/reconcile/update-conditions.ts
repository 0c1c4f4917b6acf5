import type { PodCondition, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import {
  ACCEPTED_CONDITION,
  INSUFFICIENT_DISK,
  type PodUpdate,
  STAGED_CONDITION,
} from '../../proto/pod-update.ts';
import type { Wait } from '../pod/consent.ts';
import { downloadsLater, type UpdateRecord } from '../pod/turn.ts';
import type { Download } from './update-downloads.ts';

/* What the hub is told of a pod that is to take another's place. Pure. */

const ACCEPTED = { waiting: 'Unknown', trying: 'Unknown', accepted: 'True', rejected: 'False' } as const;

export function updateConditions(
  update: PodUpdate,
  record: UpdateRecord | undefined,
  download: Download,
  closed: Wait | undefined,
): PodCondition[] {
  const staged = stagedCondition(update, record, download, update.step === 'stage' ? closed : undefined);
  if (!record) return [staged];
  const { phase, reason, message } = record;
  return [staged, { type: ACCEPTED_CONDITION, status: ACCEPTED[phase], reason, ...(message && { message }) }];
}

function stagedCondition(
  update: PodUpdate,
  record: UpdateRecord | undefined,
  { isStaged, digests, reason, trouble }: Download,
  closed: Wait | undefined,
): PodCondition {
  const type = STAGED_CONDITION;
  const message = isStaged ? digests.join(', ') : '';
  if (isStaged || record?.phase === 'accepted')
    return { type, status: 'True', reason: 'Downloaded', ...(message && { message }) };
  if (downloadsLater(update)) return { type, status: 'True', reason: 'DownloadsLater' };
  if (closed) return { type, status: 'False', reason: closed.reason, message: closed.message };
  const why = reason === INSUFFICIENT_DISK ? reason : 'Downloading';
  return { type, status: 'False', reason: why, ...(trouble && { message: trouble }) };
}

/** The first thing that keeps a container from being ready. */
export function troubleOf({ containerStatuses = [] }: PodStatus): string | undefined {
  for (const { name, ready, state } of containerStatuses) {
    if (ready) continue;
    const { waiting, terminated } = state ?? {};
    if (waiting) return `container ${name}: ${waiting.message ?? waiting.reason}`;
    if (terminated) return `container ${name} ended with exit code ${terminated.exitCode}`;
    return `container ${name} is not ready`;
  }
  return undefined;
}
