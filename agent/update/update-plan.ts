import type { AgentRelease } from '../../proto/agent-release.ts';
import type { Wait } from '../pod/consent.ts';
import { MOST_STARTS, type Slot } from './installation.ts';
import type { TrialOutcome } from './slots.ts';

/* What a device does about a version of its agent that it is asked to run, and what it says of it. Pure. */

/** What a device has decided about a request, for good. */
export interface Verdict {
  readonly outcome: 'accepted' | 'rejected';
  /** One word, and a sentence. */
  readonly reason: string;
  readonly message: string;
}

/** How far the package of the version is. */
export type Staging =
  | { readonly state: 'none' }
  | { readonly state: 'running' }
  | {
      readonly state: 'failed';
      readonly reason: string;
      readonly message: string;
      /** Nothing that passes by itself. */
      readonly isFinal: boolean;
      readonly retryAtMs: number;
    };

export interface Situation {
  /** Of this agent, without a `v`. */
  readonly version: string;
  readonly verdict: Verdict | undefined;
  /** Whether this agent can be put in another's place. */
  readonly isInstalled: boolean;
  /** Where the version is, whole. */
  readonly slot: Slot | undefined;
  readonly staging: Staging;
  /** The window to download, or to switch, is closed. */
  readonly closed: Wait | undefined;
  readonly nowMs: number;
}

export type NextStep =
  | { readonly type: 'wait'; readonly wakeAtMs: number }
  | { readonly type: 'stage' }
  | { readonly type: 'switch'; readonly slot: Slot }
  /** To be stored before it is told. */
  | { readonly type: 'settle'; readonly verdict: Verdict };

/** What the hub is told, of the download and of the switch. */
export interface Told {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export interface UpdatePlan {
  readonly next: NextStep;
  readonly staged?: Told;
  readonly accepted?: Told;
}

const FOR_EVER: NextStep = { type: 'wait', wakeAtMs: Number.POSITIVE_INFINITY };
const STAGED: Told = { status: 'True', reason: 'Staged', message: 'it is checked and unpacked' };

export function planUpdate(release: AgentRelease, situation: Situation): UpdatePlan {
  const { verdict, version, isInstalled, slot } = situation;
  if (verdict) return { next: FOR_EVER, ...toldOf(verdict, slot !== undefined) };
  if (release.version === version)
    return settled({ outcome: 'accepted', reason: 'AlreadyThere', message: `it runs ${version} already` });
  if (!isInstalled) return settled(NOT_INSTALLED);
  if (slot === undefined) return planStaging(release, situation);
  return planSwitch(release, situation, slot);
}

const NOT_INSTALLED: Verdict = {
  outcome: 'rejected',
  reason: 'NotInstalled',
  message:
    'this agent was not started by bin/holdfast-agent of a package with its slots in the data directory: install the package, or update the image that it runs from',
};

function settled(verdict: Verdict): UpdatePlan {
  return { next: { type: 'settle', verdict } };
}

export function toldOf({ outcome, reason, message }: Verdict, isStaged: boolean): Partial<UpdatePlan> {
  const status = outcome === 'accepted' ? 'True' : 'False';
  return { ...(isStaged && { staged: STAGED }), accepted: { status, reason, message } };
}

function planStaging({ update: { step } }: AgentRelease, { staging, closed, nowMs }: Situation): UpdatePlan {
  if (staging.state === 'failed' && staging.isFinal) {
    const { reason, message } = staging;
    return settled({ outcome: 'rejected', reason, message });
  }
  // The window is one to download in only while nothing else is asked for.
  if (closed && step === 'stage')
    return { next: waitUntil(closed.untilMs), staged: { status: 'False', ...reasonOf(closed) } };
  if (staging.state === 'failed' && staging.retryAtMs > nowMs) {
    const { reason, message } = staging;
    return { next: waitUntil(staging.retryAtMs), staged: { status: 'False', reason, message } };
  }
  const staged: Told = { status: 'False', reason: 'Downloading', message: 'the package is being downloaded' };
  return { next: staging.state === 'running' ? FOR_EVER : { type: 'stage' }, staged };
}

function planSwitch({ update: { step } }: AgentRelease, { closed }: Situation, slot: Slot): UpdatePlan {
  if (step === 'stage') return { next: FOR_EVER, staged: STAGED };
  if (closed) {
    const accepted: Told = { status: 'Unknown', ...reasonOf(closed) };
    return { next: waitUntil(closed.untilMs), staged: STAGED, accepted };
  }
  return { next: { type: 'switch', slot }, staged: STAGED, accepted: TRYING };
}

export const TRYING: Told = { status: 'Unknown', reason: 'Trying', message: 'it is tried' };

function waitUntil(wakeAtMs: number): NextStep {
  return { type: 'wait', wakeAtMs };
}

function reasonOf({ reason, message }: Wait) {
  return { reason, message };
}

/** Words of who ends a trial: the launcher's watchdog, and the version that is tried. */
export const HUNG = 'Hung';
export const NO_CONTACT = 'NoContact';
export const UNHEALTHY = 'Unhealthy';

/** Why the version that was tried does not run now. */
export function returnVerdict({ failed, starts, seconds, from }: TrialOutcome): Verdict {
  const back = `the device went back to ${from}`;
  const reject = (reason: string, what: string): Verdict => ({
    outcome: 'rejected',
    reason,
    message: `${what}: ${back}`,
  });
  switch (failed) {
    case HUNG:
      return reject(HUNG, `it did not prove itself within ${seconds} s, and was ended`);
    case NO_CONTACT:
      return reject(
        NO_CONTACT,
        `it did not reach the hub within ${seconds} s, and the version before it did`,
      );
    case UNHEALTHY:
      return reject(UNHEALTHY, `it did not find its container engine and its pods within ${seconds} s`);
    case undefined:
      return starts >= MOST_STARTS.ofTrial
        ? reject('Crashed', `it ended ${starts} times before it had proved itself`)
        : reject('NotStarted', 'its slot is damaged, or its start could not be noted on the disk');
    default:
      return reject('Failed', failed);
  }
}
