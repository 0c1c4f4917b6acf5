import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { checkNewFile } from '../new-file.ts';
import { redactObject, redactText } from './redact.ts';

const MOST_BYTES = 50 * 1024 * 1024;
const LOG_LINES = 5_000;

/** What goes into a bundle: path in it → who gets it. Objects become JSON; all of it is redacted. */
export type Parts = Readonly<Record<string, () => Promise<unknown>>>;

/**
 * Collects all parts and writes them into one archive, which only its owner may read. What can not be had is told in its
 * place: a bundle is made where things are broken. Resolves with the paths that are in it.
 */
export async function writeSupportBundle(file: string, parts: Parts): Promise<string[]> {
  await checkNewFile(file);
  const work = await mkdtemp(join(tmpdir(), 'holdfast-support-'));
  const part = join(dirname(file), `.${process.pid}.support-bundle`);
  try {
    for (const [path, collect] of Object.entries(parts)) {
      await mkdir(dirname(join(work, path)), { recursive: true, mode: 0o700 });
      await writeFile(join(work, path), await textOf(collect), { mode: 0o600 });
    }
    await writeFile(part, '', { mode: 0o600 });
    await promisify(execFile)('tar', ['-czf', part, '-C', work, '.']);
    await chmod(part, 0o600);
    await rename(part, file);
    return Object.keys(parts);
  } finally {
    await rm(part, { force: true });
    await rm(work, { recursive: true, force: true });
  }
}

async function textOf(collect: () => Promise<unknown>): Promise<string> {
  try {
    const found = await collect();
    const text =
      typeof found === 'string' ? redactText(found) : JSON.stringify(redactObject(found), undefined, 2);
    return text.length > MOST_BYTES ? `${text.slice(-MOST_BYTES)}\n(the last 50 MiB)\n` : text;
  } catch (error) {
    return `It could not be collected: ${redactText((error as Error).message)}\n`;
  }
}

/** What a unit has said lately, where systemd keeps it. */
export async function unitLog(unit: string): Promise<string> {
  if (!existsSync('/run/systemd/system'))
    return 'There is no systemd here: add the log that the program writes.\n';
  const args = ['--unit', unit, '--no-pager', '--lines', String(LOG_LINES), '--output', 'cat'];
  return (await promisify(execFile)('journalctl', args, { maxBuffer: MOST_BYTES })).stdout;
}

/** A name that tells bundles apart: `holdfast-support-2026-11-23T07-00-00.tar.gz`. */
export function bundleName(nowMs: number): string {
  return `holdfast-support-${new Date(nowMs).toISOString().slice(0, 19).replaceAll(':', '-')}.tar.gz`;
}
