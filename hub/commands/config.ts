import { checkFile, schemaText } from '../../proto/settings/config-command.ts';
import type { CommandGroup } from '../cli/command.ts';
import { CONFIG_FILE, HUB_SETTINGS, hubProblems } from '../config.ts';

/** `holdfast config …` */
export const config: CommandGroup = {
  name: 'config',
  about: "Files of the hub's settings.",
  commands: {
    check: {
      arguments: '[FILE]',
      takes: [0, 1],
      about: `says what is wrong with a file (${CONFIG_FILE.path})`,
      examples: ['', './hub.yaml'],
      isLocal: true,
      run: async (call) => {
        call.print(await checkFile(HUB_SETTINGS, call.arguments[0] ?? CONFIG_FILE.path, hubProblems));
        return undefined;
      },
    },
    schema: {
      arguments: '',
      takes: [0, 0],
      about: 'prints the JSON schema of such files, for editors',
      examples: ['> hub.schema.json'],
      isLocal: true,
      run: async (call) => {
        call.print(schemaText(HUB_SETTINGS, 'Settings of the hub of Holdfast'));
        return undefined;
      },
    },
  },
};
