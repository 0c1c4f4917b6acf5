import { completionOf, SHELLS } from '../../proto/manual/completion.ts';
import { MANUAL } from '../manual.ts';
import type { Command } from './command.ts';

/** `holdfast-agent completion SHELL` */
export const completion: Command = async ([name]) => {
  const shell = SHELLS.find((each) => each === name);
  if (!shell) throw new Error(`say for which shell: ${SHELLS.join(', ')}`);
  console.log(completionOf(MANUAL, shell));
};
