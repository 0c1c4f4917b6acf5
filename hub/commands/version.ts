import type { Command } from '../cli/command.ts';
import { hubVersion } from '../version.ts';

/** `holdfast version`, also `--version`. */
export const version: Command = {
  arguments: '',
  takes: [0, 0],
  about: 'prints the version of this program',
  examples: [''],
  isLocal: true,
  run: async (call) => {
    call.print(hubVersion());
    return undefined;
  },
};
