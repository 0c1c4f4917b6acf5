import type { Settings } from '../../proto/settings/settings.ts';
import type { Flag } from '../cli/command.ts';
import { CONFIG_FILE, HUB_SETTINGS } from '../config.ts';

/** The settings of the hub as flags of a command. */
export const SETTING_FLAGS: Readonly<Record<string, Flag>> = {
  [CONFIG_FILE.flag]: {
    type: 'string',
    value: 'FILE',
    about: `settings that are no flags, as YAML; ${CONFIG_FILE.env} (${CONFIG_FILE.path})`,
  },
  ...Object.fromEntries(
    Object.values(HUB_SETTINGS as Settings).map(({ flag, env, about, oneOf, fallback, type }) => [
      flag,
      {
        type: 'string',
        value: oneOf
          ? oneOf.join('|')
          : {
              integer: 'NUMBER',
              boolean: 'true|false',
              list: 'A,B',
              words: 'JSON',
              map: 'A=B,C=D',
              text: 'TEXT',
            }[type ?? 'text'],
        about: `${about}; ${env}${fallback ? ` (${fallback})` : ''}`,
      } satisfies Flag,
    ]),
  ),
};
