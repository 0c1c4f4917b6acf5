import { parseArgs } from 'node:util';
import { ensurePackages, OUTPUT } from './packages.ts';
import { PROGRAMS, type ProgramName, TARGETS, type Target } from './target.ts';

/*
 * `npm run package`: archives and Debian packages of both programs for both processors, with checksums and signatures, in
 * dist/packages. The same commit gives the same bytes.
 */

function chosen<T extends string>(value: string | undefined, all: readonly T[], flag: string): readonly T[] {
  const found = all.filter((each) => value === undefined || each === value);
  if (found.length === 0) throw new Error(`--${flag} must be one of ${all.join(', ')}, is "${value}"`);
  return found;
}

const { values } = parseArgs({ options: { program: { type: 'string' }, arch: { type: 'string' } } });
try {
  const programs: readonly ProgramName[] = chosen(values.program, PROGRAMS, 'program');
  const arches: readonly Target['arch'][] = chosen(
    values.arch,
    TARGETS.map(({ arch }) => arch),
    'arch',
  );
  for (const { name, bytes } of await ensurePackages(programs, arches))
    console.log(`${(bytes / 1024 / 1024).toFixed(1).padStart(6)} MiB  ${name}`);
  console.log(`in ${OUTPUT}`);
} catch (error) {
  console.error(`package: ${(error as Error).message}`);
  process.exit(1);
}
