import { readSettings, type Settings } from './settings.ts';
import { readSettingsFile } from './settings-file.ts';
import { schemaOfSettings } from './settings-schema.ts';

/** `config check`: resolves with what to print. Rejects with all that is wrong with the file. */
export async function checkFile(settings: Settings, path: string): Promise<string> {
  const file = await readSettingsFile(path, true);
  readSettings(settings, { flags: {}, env: {}, file });
  const count = Object.keys(file?.values ?? {}).length;
  return `"${path}" is right: ${count} ${count === 1 ? 'setting' : 'settings'}`;
}

/** `config schema`: what to print. */
export function schemaText(settings: Settings, title: string): string {
  return JSON.stringify(schemaOfSettings(settings, title), undefined, 2);
}
