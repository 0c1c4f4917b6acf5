import { REBOOT_FAILED, REBOOT_REFUSED, REBOOTING, type RebootRequest } from '../../../proto/node-reboot.ts';
import { answerOf } from '../../../proto/request-answer.ts';
import { since } from '../../resources/human-duration.ts';
import { readinessOf } from '../../resources/node-matching.ts';
import type { EventObject, NodeObject } from '../../resources/typed.ts';
import { isRevoked } from '../../security/node-identity.ts';
import { classText } from './node-text.ts';

/*
 * Whom one can ask to reboot, and what becomes of it. Pure.
 */

export interface RebootPlan {
  readonly ask: readonly NodeObject[];
  /** Why the others are not asked. */
  readonly refusals: readonly string[];
}

/** Who is not there can not be asked: the request would be void before the device learns of it, or come as a surprise. */
export function planReboots(nodes: readonly NodeObject[], nowMs: number, isWaiting: boolean): RebootPlan {
  const told = nodes.map((node) => ({ node, refusal: refusalOf(node, nowMs, isWaiting) }));
  return {
    ask: told.filter(({ refusal }) => refusal === undefined).map(({ node }) => node),
    refusals: told.flatMap(({ refusal }) => refusal ?? []),
  };
}

function refusalOf(node: NodeObject, nowMs: number, isWaiting: boolean): string | undefined {
  const name = node.metadata.name ?? '';
  if (isRevoked(node)) return `node ${name} is not asked: it is revoked, and the hub refuses its device`;
  const readiness = readinessOf(node);
  // One whose engine is down reports so: it is there, and may be better after a reboot.
  if (readiness !== 'True' && readiness !== 'False')
    return `node ${name} is not asked: it is ${classText(node, [], nowMs)}, and only a device that is connected can be`;
  if (isWaiting && bootIdOf(node) === '')
    return `node ${name} is not asked: it tells no boot ID, so that nobody could see that it has rebooted (--no-wait asks nevertheless)`;
  return undefined;
}

function bootIdOf({ status }: NodeObject): string {
  return status?.nodeInfo?.bootID ?? '';
}

export interface Asking {
  readonly id: string;
  readonly nowMs: number;
  readonly timeoutMs: number;
}

export function requestFor(node: NodeObject, { id, nowMs, timeoutMs }: Asking): RebootRequest {
  const bootId = bootIdOf(node);
  const timeText = (ms: number) => new Date(ms).toISOString();
  return { id, at: timeText(nowMs), until: timeText(nowMs + timeoutMs), ...(bootId && { bootId }) };
}

/** Whether it has been started since, and does its work again. */
export function isBack(node: NodeObject, { bootId = '' }: RebootRequest): boolean {
  const now = bootIdOf(node);
  return now !== '' && now !== bootId && readinessOf(node) === 'True';
}

export type RebootWord =
  | { readonly type: 'begun' }
  | { readonly type: 'over'; readonly reason: string; readonly message: string };

/** What an event of the node says to the request; undefined when it is about something else. */
export function rebootWord(
  { reason = '', message = '' }: Pick<EventObject, 'reason' | 'message'>,
  { id }: RebootRequest,
): RebootWord | undefined {
  const answer = answerOf(id, message);
  if (answer === undefined) return undefined;
  if (reason === REBOOTING) return { type: 'begun' };
  return reason === REBOOT_REFUSED || reason === REBOOT_FAILED
    ? { type: 'over', reason, message: answer }
    : undefined;
}

/** What became of one that was asked. */
export type RebootAnswer =
  | { readonly type: 'back' }
  | { readonly type: 'gone' }
  | { readonly type: 'refused'; readonly reason: string; readonly message: string }
  | { readonly type: 'late'; readonly hasBegun: boolean };

export type RebootOutcome = RebootAnswer | { readonly type: 'not asked' };

export function outcomeText(
  name: string,
  outcome: RebootAnswer,
  { at }: RebootRequest,
  nowMs: number,
): string {
  const spent = since(at, nowMs);
  switch (outcome.type) {
    case 'back':
      return `node ${name} is back after ${spent}`;
    case 'gone':
      return `node ${name} was deleted meanwhile`;
    case 'refused':
      return `node ${name} does not reboot: ${outcome.reason}: ${outcome.message}`;
    case 'late':
      return outcome.hasBegun
        ? `node ${name} began to reboot, and is not Ready again after ${spent}`
        : `node ${name} has not answered within ${spent}, and the request is void now: its agent may be older than this command, or its connection broken`;
  }
}

/** 0 when all are back; 2 when one is late, 1 when anything else is wrong. */
export function exitCodeOf(plan: RebootPlan, outcomes: readonly RebootOutcome[]): number {
  if (outcomes.some(({ type }) => type === 'late')) return 2;
  return plan.refusals.length > 0 || outcomes.some(({ type }) => type !== 'back') ? 1 : 0;
}
