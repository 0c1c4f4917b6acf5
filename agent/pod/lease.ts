import { timeText } from '../time-text.ts';
import { elapsedMs, type Moment } from './moment.ts';

/*
 * A program on the device asks that the update of its pod, or of all pods, waits for a while. Pure.
 */

export interface LeaseRequest {
  readonly name: string;
  readonly seconds: number;
  /** For people; may be empty. */
  readonly reason: string;
  /** `namespace/name` of the pod that it is for. Absent: for all pods of the device. */
  readonly pod?: string;
}

export interface Lease extends LeaseRequest {
  /** When it was taken, or renewed. */
  readonly at: Moment;
}

export const MOST_LEASES = 100;
const MOST_SECONDS = 86_400;
const MOST_REASON_CHARACTERS = 200;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/;
const POD = /^[-a-z0-9]{1,63}\/[-a-z0-9.]{1,253}$/;
const CONTROL_CHARACTERS = /\p{Cc}/u;

/** What somebody asks for, or all that is wrong with it. */
export function readLeaseRequest(
  name: string,
  body: unknown,
): { readonly request: LeaseRequest } | { readonly problems: readonly string[] } {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return { problems: ['the body must be a JSON object such as {"seconds": 600, "reason": "printing"}'] };
  const { seconds, reason = '', pod, ...others } = body as Readonly<Record<string, unknown>>;
  const problems = [
    ...(NAME.test(name) ? [] : ['the name must be of lower-case letters, digits, "-" and ".", at most 63']),
    ...(isLength(seconds) ? [] : [`seconds must be a whole number from 1 to ${MOST_SECONDS}`]),
    ...(isReason(reason)
      ? []
      : [`reason must be a text of one line, of at most ${MOST_REASON_CHARACTERS} characters`]),
    ...(pod === undefined || (typeof pod === 'string' && POD.test(pod))
      ? []
      : ['pod must be namespace/name of a pod of this device']),
    ...Object.keys(others).map((field) => `${field.slice(0, 63)} is not known: seconds, reason, pod are`),
  ];
  if (problems.length > 0) return { problems };
  return { request: { name, seconds, reason, ...(pod !== undefined && { pod }) } as LeaseRequest };
}

function isLength(seconds: unknown): boolean {
  return Number.isInteger(seconds) && (seconds as number) >= 1 && (seconds as number) <= MOST_SECONDS;
}

function isReason(reason: unknown): boolean {
  return (
    typeof reason === 'string' && reason.length <= MOST_REASON_CHARACTERS && !CONTROL_CHARACTERS.test(reason)
  );
}

/**
 * For how much longer it stands; 0 when it is over. It is over as well when the device was restarted and its clock cannot
 * be right: who took it was restarted with the device, and can take it anew.
 */
export function leaseLeftMs({ seconds, at }: Lease, now: Moment): number {
  const spentMs = elapsedMs(at, now);
  return spentMs === undefined ? 0 : Math.max(0, seconds * 1000 - spentMs);
}

/** When it ends, by the clock that the device had when it was taken. */
export function leaseEndsAt({ seconds, at }: Lease): string {
  return timeText(at.wallMs + seconds * 1000);
}
