/* What plans are made of. All times are milliseconds on the monotonic clock. */

export type Action =
  | { readonly type: 'prepare' }
  /** `minFreeDisk`: what must be free before it. */
  | { readonly type: 'pull'; readonly image: string; readonly minFreeDisk?: string }
  /** Whether it is there: asked before it is needed. */
  | { readonly type: 'check-image'; readonly image: string }
  | { readonly type: 'remove-image'; readonly image: string }
  | { readonly type: 'run'; readonly container: string; readonly attempt: number; readonly crashes: number }
  | { readonly type: 'run-infra'; readonly attempt: number }
  /** Joins the network of a running infra container to the node's. */
  | { readonly type: 'connect'; readonly id: string }
  | { readonly type: 'start'; readonly id: string; readonly container: string }
  /** Asks it to end, and remembers when it is to be killed. `isWholePod`: and by when all of the pod must have ended. */
  | { readonly type: 'terminate'; readonly id: string; readonly graceMs: number; readonly isWholePod?: true }
  | { readonly type: 'kill'; readonly id: string }
  | { readonly type: 'remove'; readonly id: string }
  /** Removes what a pod wrote that has been evicted for it. */
  | { readonly type: 'discard' }
  /** Nothing of the pod is left but its directory. */
  | { readonly type: 'clean-up' };

export interface PodPlan {
  readonly actions: readonly Action[];
  /** When to look again although nothing happened; Infinity when there is no need. */
  readonly wakeAtMs: number;
}

export const NOTHING: PodPlan = { actions: [], wakeAtMs: Number.POSITIVE_INFINITY };

export function step(action: Action): PodPlan {
  return { ...NOTHING, actions: [action] };
}

export function waitUntil(wakeAtMs: number): PodPlan {
  return { actions: [], wakeAtMs };
}

export function merge(plans: readonly PodPlan[]): PodPlan {
  return {
    actions: plans.flatMap(({ actions }) => actions),
    wakeAtMs: Math.min(...plans.map(({ wakeAtMs }) => wakeAtMs), NOTHING.wakeAtMs),
  };
}
