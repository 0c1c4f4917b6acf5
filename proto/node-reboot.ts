/**
 * How hub and agent speak of a device that somebody wants started anew. The request is an annotation of its Node, which is in
 * the device's snapshot while the request is good; the device answers with events of that Node.
 */
export const REBOOT_ANNOTATION = 'fleet.holdfast.dev/reboot';

/** What the device has taken up, and does not take up: for reasons of its own, or because its command failed. */
export const REBOOTING = 'Rebooting';
export const REBOOT_REFUSED = 'RebootRefused';
export const REBOOT_FAILED = 'RebootFailed';

export interface RebootRequest {
  /** Of this request alone: a device that has taken it up, or refused it, never looks at it again. */
  readonly id: string;
  /** Void from then on, RFC 3339. */
  readonly until: string;
  /** When somebody asked, RFC 3339: a device whose clock is before that has a wrong one. */
  readonly at?: string;
  /** The start of the device that is to end. After another start, whatever caused that, there is nothing left to do. */
  readonly bootId?: string;
}

const ID = /^[-a-zA-Z0-9]{1,63}$/;

export function encodeRebootRequest(request: RebootRequest): string {
  return JSON.stringify(request);
}

type Annotated = { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } };

/** What a Node's annotation asks for; undefined when it asks for nothing, and for what is no request. */
export function rebootRequestOf({ metadata }: Annotated): RebootRequest | undefined {
  const text = metadata?.annotations?.[REBOOT_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const request = JSON.parse(text) as RebootRequest | null;
    return isRequest(request) ? request : undefined;
  } catch {
    return undefined;
  }
}

function isRequest(given: RebootRequest | null): given is RebootRequest {
  if (typeof given !== 'object' || given === null) return false;
  const { id, until, at, bootId } = given;
  const isTime = (text: unknown) => typeof text === 'string' && Number.isFinite(Date.parse(text));
  return (
    typeof id === 'string' &&
    ID.test(id) &&
    isTime(until) &&
    (at === undefined || isTime(at)) &&
    (bootId === undefined || typeof bootId === 'string')
  );
}
