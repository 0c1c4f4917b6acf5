import type { RebootRequest } from '../../proto/node-reboot.ts';
import { timeText } from '../time-text.ts';

/* Whether a device does what it is asked: to start anew. Pure. */

export interface RebootSituation {
  /** It was taken up or refused before, by whatever agent of this device. */
  readonly isDone: boolean;
  readonly bootId: string;
  /** Of the wall clock, which may be wrong. */
  readonly wallMs: number;
  /** The owner of the device lets the hub start it anew. */
  readonly isAllowed: boolean;
}

export type RebootDecision =
  | { readonly type: 'nothing' }
  | { readonly type: 'refuse'; readonly why: string }
  | { readonly type: 'reboot' };

/** Between hub and device; what is more is wrong. */
const CLOCK_TOLERANCE_MS = 60_000;

const NOT_ALLOWED = `its owner lets nobody start this device anew from the hub: its agent needs --reboot-command, such as '["systemctl", "reboot"]'`;

export function decideReboot(
  request: RebootRequest,
  { isDone, bootId, wallMs, isAllowed }: RebootSituation,
): RebootDecision {
  if (isDone || isOver(request, bootId)) return { type: 'nothing' };
  if (request.at !== undefined && wallMs < Date.parse(request.at) - CLOCK_TOLERANCE_MS)
    return refuse(
      `the clock of this device (${timeText(wallMs)}) is behind the time at which it was asked (${request.at}): whether the request still stands is not known`,
    );
  if (wallMs >= Date.parse(request.until))
    return refuse(
      `it was asked to do so until ${request.until}, and its clock says ${timeText(wallMs)}: ask again`,
    );
  return isAllowed ? { type: 'reboot' } : refuse(NOT_ALLOWED);
}

/** The start that was to end has ended: also when all that was stored has been lost, a device is not started anew twice. */
function isOver({ bootId: asked = '' }: RebootRequest, bootId: string): boolean {
  return asked !== '' && bootId !== '' && asked !== bootId;
}

function refuse(why: string): RebootDecision {
  return { type: 'refuse', why };
}
