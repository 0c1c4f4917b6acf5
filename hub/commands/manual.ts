import type { Manual, ManualCommand } from '../../proto/manual/manual.ts';
import { type Command, flagsOf } from '../cli/command.ts';
import { CONFIG_FILE, HUB_SETTINGS } from '../config.ts';
import { ABOUT } from './about.ts';
import { type Entries, isGroup } from './entry.ts';

/** All that can be told of `holdfast`: what completion and manual pages are made of. */
export async function hubManual(entries: Entries): Promise<Manual> {
  const commands: ManualCommand[] = [];
  const groups: Record<string, string> = {};
  for (const [name, { about, load }] of Object.entries(entries)) {
    const found = await load();
    if (!isGroup(found)) {
      commands.push(manualOf([name], found));
      continue;
    }
    groups[name] = about;
    for (const [each, command] of Object.entries(found.commands))
      commands.push(manualOf([name, each], command));
  }
  return { program: 'holdfast', about: ABOUT, groups, commands, settings: HUB_SETTINGS, file: CONFIG_FILE };
}

function manualOf(words: readonly string[], command: Command): ManualCommand {
  return {
    words,
    arguments: command.arguments,
    about: command.about,
    flags: Object.entries(flagsOf(command)).map(([name, { short, value, about }]) => ({
      name,
      about,
      ...(short && { short }),
      ...(value && { value }),
    })),
    examples: command.examples,
  };
}
