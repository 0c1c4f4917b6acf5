/**
 * How hub and agent speak of a pod that is to take another's place on its device. The hub says it in an annotation of
 * the new pod; the device answers with conditions of that pod's status. Both pods are in the snapshot until the device
 * has decided, so that it can decide, and go back, without a connection.
 */
export const POD_UPDATE_ANNOTATION = 'fleet.holdfast.dev/update';

/** `True` once the device holds all images of the pod. */
export const STAGED_CONDITION = 'fleet.holdfast.dev/Staged';
/** `Unknown` while the device tries the pod, then `True`, or `False` when it went back to the pod before. */
export const ACCEPTED_CONDITION = 'fleet.holdfast.dev/Accepted';

export const UPDATE_ORDERS = [
  'download-then-stop',
  'stop-then-download',
  'delete-then-download',
  'start-first',
] as const;

/** When a device may switch: from each time of the schedule on, for so long. */
export interface UpdateWindow {
  /** Five fields, as a CronJob has them. */
  readonly schedule: string;
  readonly durationSeconds: number;
  /** IANA; absent: the device's own. */
  readonly timeZone?: string;
}

/** What the device tries on the new pod, once that is ready and until it has decided. One of `exec` and `httpGet`. */
export interface UpdateCheck {
  /** The first one when absent. */
  readonly container?: string;
  readonly exec?: { readonly command: readonly string[] };
  readonly httpGet?: {
    /** Or the name of a port of the container. */
    readonly port: number | string;
    readonly path: string;
    readonly scheme: 'HTTP' | 'HTTPS';
    readonly headers?: readonly { readonly name: string; readonly value: string }[];
  };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  /** So many failures in a row reject the pod. */
  readonly failureThreshold: number;
}

/** The reason of an Accepted condition that is Unknown because the device waits for a window. */
export const WAITING_FOR_WINDOW = 'WaitingForWindow';
/** … because a program on the device has asked to be left alone for a while. */
export const WAITING_FOR_CONSENT = 'WaitingForConsent';
/** Why a device that was told to switch has not begun to: its time has not either. */
export const WAITING_REASONS: ReadonlySet<string> = new Set([WAITING_FOR_WINDOW, WAITING_FOR_CONSENT]);

/** The reason of a Staged condition that is False because too little of the disk would be left. */
export const INSUFFICIENT_DISK = 'InsufficientDisk';

export interface PodUpdate {
  /** `stage`: only download. `apply`: switch. */
  readonly step: 'stage' | 'apply';
  /** The uid of the pod whose place it takes; absent when there is none. */
  readonly replaces?: string;
  readonly order: (typeof UPDATE_ORDERS)[number];
  /** How long it must be ready without a break. */
  readonly minHealthySeconds: number;
  /** How often its containers may restart. */
  readonly maxRestarts: number;
  /** What must hold besides, for as long. */
  readonly check?: UpdateCheck;
  /** How long the device may take to decide, from when it is told to switch. */
  readonly deadlineSeconds: number;
  /** Whether the device goes back by itself; otherwise it keeps on trying, and tells. */
  readonly rollback: boolean;
  /** When it may switch, or download if that is its step; absent: at any time. */
  readonly windows?: readonly UpdateWindow[];
  /** What to do when the device's clock cannot be right, so that it does not know whether a window is open. */
  readonly clockUntrusted?: 'hold' | 'run';
  /** How long programs on the device may put the switch off; absent: not at all. */
  readonly consent?: { readonly maxDeferSeconds: number };
  /** What must be free on the engine's disk before a download beside the old pod: a quantity, or `5%` of it. */
  readonly minFreeDisk?: string;
  /** When the hub said so, RFC 3339: a device whose clock is before that has a wrong one. */
  readonly saidAt?: string;
}

export function encodePodUpdate(update: PodUpdate): string {
  return JSON.stringify(update);
}

type Annotated = { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } };

/** What a pod's annotation says; undefined for a pod that takes nobody's place, and for what is none. */
export function podUpdateOf({ metadata }: Annotated): PodUpdate | undefined {
  const text = metadata?.annotations?.[POD_UPDATE_ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const update = JSON.parse(text) as PodUpdate | null;
    return isPodUpdate(update) ? update : undefined;
  } catch {
    return undefined;
  }
}

/** Of what was JSON. */
export function isPodUpdate(given: PodUpdate | null | undefined): given is PodUpdate {
  if (typeof given !== 'object' || given === null) return false;
  const numbers = [given.minHealthySeconds, given.maxRestarts, given.deadlineSeconds];
  return (
    (given.step === 'stage' || given.step === 'apply') &&
    UPDATE_ORDERS.includes(given.order) &&
    (given.replaces === undefined || typeof given.replaces === 'string') &&
    numbers.every((number) => Number.isFinite(number) && number >= 0) &&
    typeof given.rollback === 'boolean' &&
    (given.windows === undefined || (Array.isArray(given.windows) && given.windows.every(isWindow))) &&
    (given.consent === undefined || Number.isFinite(given.consent?.maxDeferSeconds)) &&
    (given.minFreeDisk === undefined || typeof given.minFreeDisk === 'string') &&
    (given.check === undefined || isCheck(given.check))
  );
}

function isCheck(given: UpdateCheck | null): boolean {
  if (typeof given !== 'object' || given === null) return false;
  const { exec, httpGet, periodSeconds, timeoutSeconds, failureThreshold } = given;
  return (
    (exec === undefined) !== (httpGet === undefined) &&
    (exec === undefined || Array.isArray(exec?.command)) &&
    (httpGet === undefined || typeof httpGet?.path === 'string') &&
    [periodSeconds, timeoutSeconds, failureThreshold].every((number) => Number.isFinite(number) && number > 0)
  );
}

function isWindow(given: UpdateWindow | null): boolean {
  return (
    typeof given === 'object' &&
    given !== null &&
    typeof given.schedule === 'string' &&
    Number.isFinite(given.durationSeconds) &&
    (given.timeZone === undefined || typeof given.timeZone === 'string')
  );
}
