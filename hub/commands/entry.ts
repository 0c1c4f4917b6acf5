import type { Command, CommandGroup } from '../cli/command.ts';

/** A first word that `holdfast` knows: a command, or what begins some. */
export interface Entry {
  readonly about: string;
  /** Most need little of the rest, and are to answer at once: loaded when it is called. */
  readonly load: () => Promise<Command | CommandGroup>;
}

export type Entries = Readonly<Record<string, Entry>>;

export function isGroup(found: Command | CommandGroup): found is CommandGroup {
  return 'commands' in found;
}
