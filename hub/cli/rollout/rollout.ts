import type { CommandGroup } from '../command.ts';
import { actions } from './actions.ts';
import { explain } from './explain.ts';
import { history } from './history.ts';
import { list } from './list.ts';
import { plan } from './plan.ts';
import { rehearse } from './rehearse.ts';
import { status } from './status.ts';
import { undo } from './undo.ts';

/** `holdfast rollout …` */
export const rollout: CommandGroup = {
  name: 'rollout',
  about: 'Changes of DaemonSets and Deployments under a RolloutPolicy, on their way through the fleet.',
  commands: { plan, rehearse, status, list, ...actions, undo, history, explain },
};
