import { type CheckTogether, readSettings, type Settings } from './settings.ts';
import { readSettingsFile } from './settings-file.ts';
import { schemaOfSettings } from './settings-schema.ts';

/** `config check`: resolves with what to print. Rejects with all that is wrong with the file. */
export async function checkFile<Name extends string>(
  settings: Settings<Name>,
  path: string,
  checkTogether?: CheckTogether<Name>,
): Promise<string> {
  const file = await readSettingsFile(path, true);
  readSettings(settings, { flags: {}, env: {}, file }, checkTogether);
  const count = Object.keys(file?.values ?? {}).length;
  return `"${path}" is right: ${count} ${count === 1 ? 'setting' : 'settings'}`;
}

/** `config schema`: what to print. */
export function schemaText(settings: Settings, title: string): string {
  return JSON.stringify(schemaOfSettings(settings, title), undefined, 2);
}
