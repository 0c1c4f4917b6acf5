import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MANUAL } from '../../agent/manual.ts';
import { COMMANDS } from '../../hub/commands/commands.ts';
import { hubManual } from '../../hub/commands/manual.ts';
import { completionOf } from '../../proto/manual/completion.ts';
import type { Manual } from '../../proto/manual/manual.ts';
import { bundleOf } from '../bundle.ts';
import { ROOT } from '../local-files.ts';
import type { TarEntry } from '../tar.ts';
import { AGENT_LAUNCHER, HUB_LAUNCHER } from './launcher.ts';
import { manPageOf } from './man-page.ts';
import { runtimeFor } from './runtime.ts';
import { sbomOf } from './sbom.ts';
import type { ProgramName, Target } from './target.ts';
import { noticesOf, thirdParties } from './third-party.ts';

/** The files of a program on a device, by path below its folder; `bin/` finds the rest from where it is itself. */
export interface Contents {
  readonly program: ProgramName;
  readonly target: Target;
  readonly version: string;
  readonly files: readonly Extract<TarEntry, { type: 'file' }>[];
}

const BUNDLES = {
  'holdfast-agent': { folder: 'agent', launcher: AGENT_LAUNCHER },
  holdfast: { folder: 'hub', launcher: HUB_LAUNCHER },
} as const;

/** `publicKey`: whose packages this program will take for its own next version. */
export async function contentsOf(program: ProgramName, target: Target, publicKey: string): Promise<Contents> {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const { folder, launcher } = BUNDLES[program];
  const { files, packages } = await bundleOf(folder, target.bundle);
  const runtime = runtimeFor(target);
  const parties = thirdParties(packages);
  const subject = { name: program, version, arch: target.arch, timestamp: commitTime() };
  const sbom = sbomOf(subject, runtime.version, parties);
  const node = { name: 'Node.js', version: runtime.version, licence: 'MIT', text: runtime.licence };
  const about = { name: program, version, arch: target.arch, node: runtime.version };
  const text = (path: string, content: string, mode = 0o644) =>
    ({ type: 'file', path, mode, content: Buffer.from(content) }) as const;
  return {
    ...{ program, target, version },
    files: [
      text(`bin/${program}`, launcher, 0o755),
      ...(program === 'holdfast' ? [text('bin/kubectl-holdfast', PLUGIN, 0o755)] : []),
      { type: 'file', path: 'lib/node', mode: 0o755, content: readFileSync(runtime.path) },
      ...[...files].map(([path, content]) => ({
        ...({ type: 'file', path: `lib/${folder}/${path}`, mode: 0o644 } as const),
        content,
      })),
      text('lib/release.pub', publicKey),
      ...shellFiles(program === 'holdfast' ? await hubManual(COMMANDS) : MANUAL, version).map(
        ([path, content]) => text(path, content),
      ),
      text('package.json', `${JSON.stringify(about, undefined, 2)}\n`),
      text('LICENSE', readFileSync(join(ROOT, 'LICENSE'), 'utf8')),
      text('NOTICES', noticesOf([node, ...parties])),
      text('sbom.cdx.json', `${JSON.stringify(sbom, undefined, 2)}\n`),
    ],
  };
}

/** Where shells and `man` find what they know of a program, below `/usr`. */
function shellFiles(manual: Manual, version: string): [path: string, content: string][] {
  const { program } = manual;
  return [
    [`share/man/man1/${program}.1`, manPageOf(manual, version)],
    [`share/bash-completion/completions/${program}`, completionOf(manual, 'bash')],
    [`share/zsh/vendor-completions/_${program}`, completionOf(manual, 'zsh')],
    [`share/fish/vendor_completions.d/${program}.fish`, completionOf(manual, 'fish')],
  ];
}

const PLUGIN = `#!/bin/sh
export HOLDFAST_PROGRAM='kubectl holdfast'
exec "$(dirname "$(readlink -f "$0")")/holdfast" "$@"
`;

function commitTime(): string {
  const epoch = process.env['SOURCE_DATE_EPOCH'] ?? gitTime();
  return new Date(Number(epoch) * 1000).toISOString();
}

/** A copy of the sources without their history is from 1970. */
function gitTime(): string {
  try {
    const args = ['-C', ROOT, 'log', '-1', '--format=%ct'];
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '0';
  }
}
