import { type RolloutAction, type RolloutObject, rollouts } from '../fleet/rollout.ts';
import type { KubeObject } from '../resources/object.ts';
import { writes } from './is-resource.ts';
import type { AdmissionPlugin } from './plugin.ts';

/** Who asked for something of a rollout, and when, is what the hub saw, whatever the request says. */
export function rolloutActions(now: () => number): AdmissionPlugin {
  return {
    check: (request) => {
      const { object, old, requester } = request;
      if (!writes(request, rollouts) || requester === undefined) return;
      const before = actionsOf(old).length;
      const at = new Date(now()).toISOString();
      const stamp = (action: RolloutAction, index: number) =>
        index < before ? action : { ...action, by: requester.name, at };
      const { spec } = object as RolloutObject;
      if (spec.actions) object.spec = { ...spec, actions: spec.actions.map(stamp) };
    },
  };
}

function actionsOf(object: KubeObject | undefined): readonly RolloutAction[] {
  return (object as RolloutObject | undefined)?.spec.actions ?? [];
}
