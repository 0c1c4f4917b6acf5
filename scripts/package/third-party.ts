import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../local-files.ts';

/** Somebody else's work that is in a package of ours. */
export interface ThirdParty {
  readonly name: string;
  readonly version: string;
  /** SPDX. */
  readonly licence: string;
  /** The text that must go with it. */
  readonly text: string;
  /** SHA-512 of what the registry serves, hex; unknown for what is a part of another. */
  readonly sha512?: string;
}

/** What is known of each npm package, sorted by name. Throws for one that has no licence, which must not be shipped. */
export function thirdParties(folders: readonly string[]): ThirdParty[] {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { integrity?: string } | undefined>;
  };
  return folders
    .map((folder) => {
      const { name, version, license } = JSON.parse(
        readFileSync(join(ROOT, folder, 'package.json'), 'utf8'),
      ) as { name: string; version: string; license?: string };
      if (!license) throw new Error(`"${folder}" has no licence: it must not be part of a package`);
      const [, base64] = /^sha512-(.*)$/.exec(lock.packages[folder]?.integrity ?? '') ?? [];
      const sha512 = base64 && Buffer.from(base64, 'base64').toString('hex');
      return { name, version, licence: license, text: licenceText(folder), ...(sha512 && { sha512 }) };
    })
    .sort((a, b) => (a.name + a.version < b.name + b.version ? -1 : 1));
}

function licenceText(folder: string): string {
  const dir = join(ROOT, folder);
  const files = readdirSync(dir).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
  return files
    .sort()
    .map((name) => readFileSync(join(dir, name), 'utf8').trim())
    .join('\n\n');
}

/** The licences of all that is in a package. Pure. */
export function noticesOf(parties: readonly ThirdParty[]): string {
  const head =
    'Holdfast is under the Apache License 2.0 (LICENSE). It contains works of others, each under its own terms:\n';
  const each = parties.map(
    ({ name, version, licence, text }) =>
      `${'='.repeat(80)}\n${name} ${version} (${licence})\n\n${text || `Its author gives no text besides "${licence}".`}\n`,
  );
  return [head, ...each].join('\n');
}
