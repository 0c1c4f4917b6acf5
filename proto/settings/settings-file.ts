import { readFileSync, statSync } from 'node:fs';
import { readPlainYaml } from './plain-yaml.ts';
import type { SettingsFile } from './settings.ts';

const MOST_BYTES = 1_048_576;

/**
 * What a file of settings says; undefined when it is not there, unless `mustExist`. Rejects with the line that is wrong.
 * What reads YAML is loaded only for a file that needs it.
 */
export async function readSettingsFile(path: string, mustExist: boolean): Promise<SettingsFile | undefined> {
  let text: string;
  let isTooLong: boolean;
  try {
    const found = statSync(path);
    isTooLong = found.size > MOST_BYTES;
    // It is read more than once, and a pipe would be waited for.
    if (!found.isFile()) throw new Error('it is no file');
    text = isTooLong ? '' : readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (!mustExist && (code === 'ENOENT' || code === 'ENOTDIR')) return undefined;
    throw new Error(`the settings "${path}" can not be read: name a file that is there and may be read`, {
      cause: error,
    });
  }
  if (isTooLong) throw new Error(`the settings "${path}" are longer than 1 MiB`);
  const plain = readPlainYaml(text);
  if (plain) return { path, values: plain };
  const { loadAll } = await import('js-yaml');
  let documents: unknown[];
  try {
    documents = loadAll(text);
  } catch (error) {
    const { reason, mark } = error as { reason?: string; mark?: { line: number; column: number } };
    const where = mark ? `line ${mark.line + 1}, column ${mark.column + 1}: ` : '';
    throw new Error(`"${path}" is no YAML: ${where}${reason ?? (error as Error).message}`);
  }
  const [values = {}, ...more] = documents.map((document) => document ?? {});
  if (more.length > 0) throw new Error(`"${path}" must be one YAML document, is ${documents.length}`);
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new Error(`"${path}" must be a mapping of settings to values, as "logLevel: info"`);
  return { path, values: values as Record<string, unknown> };
}
