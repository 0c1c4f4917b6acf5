import { completionOf, SHELLS, type Shell } from '../../proto/manual/completion.ts';
import type { Command } from '../cli/command.ts';
import type { Entries } from './entry.ts';
import { hubManual } from './manual.ts';

/** `holdfast completion SHELL`, for these commands. */
export const completionOfAll = (entries: Entries): Command => ({
  arguments: SHELLS.join('|'),
  takes: [1, 1],
  about: 'prints what completes commands and flags in a shell',
  examples: [
    'bash > /etc/bash_completion.d/holdfast',
    'zsh > "$' + '{fpath[1]}/_holdfast"',
    'fish > ~/.config/fish/completions/holdfast.fish',
  ],
  isLocal: true,
  run: async (call) => {
    const [shell = ''] = call.arguments;
    if (!SHELLS.includes(shell as Shell)) throw new Error(`there are ${SHELLS.join(', ')}, not "${shell}"`);
    call.print(completionOf(await hubManual(entries), shell as Shell));
    return undefined;
  },
});
