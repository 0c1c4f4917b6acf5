import { readSettings, type Settings } from './settings.ts';
import { readSettingsFile } from './settings-file.ts';
import { schemaOfSettings } from './settings-schema.ts';

const USAGE = 'say "config check [FILE]" or "config schema"';

/**
 * `config check [FILE]`, `config schema`: resolves with what to print. Rejects with what is wrong with the file, or with
 * the words.
 */
export async function configCommand(
  [verb, path, ...more]: readonly string[],
  { settings, defaultPath, title }: { settings: Settings; defaultPath: string; title: string },
): Promise<string> {
  if (more.length > 0) throw new Error(`"${more[0]}" is too much: ${USAGE}`);
  if (verb === 'schema' && path === undefined)
    return JSON.stringify(schemaOfSettings(settings, title), undefined, 2);
  if (verb !== 'check') throw new Error(USAGE);
  const file = await readSettingsFile(path ?? defaultPath, true);
  readSettings(settings, { flags: {}, env: {}, file });
  const count = Object.keys(file?.values ?? {}).length;
  return `"${file?.path}" is right: ${count} ${count === 1 ? 'setting' : 'settings'}`;
}
