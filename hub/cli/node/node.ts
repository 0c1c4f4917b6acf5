import type { CommandGroup } from '../command.ts';
import { approve, deny, pending } from './approve.ts';
import { cordon, label, revoke, uncordon } from './change.ts';
import { drain } from './drain.ts';
import { reboot } from './reboot.ts';
import { replace } from './replace.ts';
import { list, show } from './show.ts';

/** `holdfast node …` */
export const node: CommandGroup = {
  name: 'node',
  about: 'The devices of the fleet.',
  commands: { list, show, label, cordon, uncordon, drain, reboot, pending, approve, deny, revoke, replace },
};
