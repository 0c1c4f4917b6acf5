import type { TarEntry } from '../tar.ts';
import type { Contents } from './contents.ts';
import type { DebControl } from './deb.ts';
import type { ProgramName } from './target.ts';
import { UNITS } from './units.ts';

/* The two programs as Debian's users expect them: where files are, and what happens when they are installed and removed. */

const TEXTS: Readonly<Record<ProgramName, { short: string; long: string; needs: Record<string, string> }>> = {
  'holdfast-agent': {
    short: 'runs containers on a device that loses its connection',
    long: 'The agent of Holdfast: it stores what its hub wants to run on this device and makes it so, connected or not.',
    needs: { Recommends: 'docker.io (>= 20.10) | docker-ce | podman (>= 4.3)' },
  },
  holdfast: {
    short: 'hub and commands of Holdfast, an orchestrator of devices',
    long: 'The hub speaks the Kubernetes API and tells every device of a fleet what to run.',
    needs: { Depends: 'adduser', Recommends: 'git' },
  },
};

/** Entries of `data.tar`, parents before what is in them. */
export function debianFiles({ program, files }: Contents): TarEntry[] {
  const unit = UNITS[program];
  const placed: TarEntry[] = [
    ...files.map((file) => ({ ...file, path: placeOf(file.path, program) })),
    ...files
      .filter(({ path }) => path.startsWith('bin/'))
      .map(({ path }) => ({
        type: 'link' as const,
        path: `usr/${path}`,
        target: `../lib/${program}/${path}`,
      })),
    {
      ...({ type: 'file', path: `lib/systemd/system/${unit.name}`, mode: 0o644 } as const),
      content: Buffer.from(unit.of('/usr/bin')),
    },
    { type: 'directory', path: 'etc/holdfast/', mode: 0o755 },
  ];
  return withParents(placed).map((entry) => ({ ...entry, path: `./${entry.path}` }));
}

const DOCUMENTS: Readonly<Record<string, string>> = {
  LICENSE: 'copyright', // Debian's own name for the terms of a package
  NOTICES: 'NOTICES',
  'sbom.cdx.json': 'sbom.cdx.json',
};

function placeOf(path: string, program: ProgramName): string {
  const document = DOCUMENTS[path];
  if (document) return `usr/share/doc/${program}/${document}`;
  return path.startsWith('share/') ? `usr/${path}` : `usr/lib/${program}/${path}`;
}

function withParents(entries: readonly TarEntry[]): TarEntry[] {
  const parents = new Set<string>();
  for (const { path } of entries) {
    const parts = path.replace(/\/$/, '').split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) parents.add(`${parts.slice(0, depth).join('/')}/`);
  }
  const own = new Set(entries.map(({ path }) => path));
  const directories = [...parents].filter((path) => !own.has(path));
  const all = [
    ...directories.map((path): TarEntry => ({ type: 'directory', path, mode: 0o755 })),
    ...entries,
  ];
  return all.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export function debianControl({ program, target, version, files }: Contents): DebControl {
  const { short, long, needs } = TEXTS[program];
  const bytes = files.reduce((sum, { content }) => sum + content.length, 0);
  return {
    fields: {
      Package: program,
      Version: version,
      Architecture: target.arch,
      Maintainer: 'The Holdfast authors <holdfast@localhost>',
      'Installed-Size': String(Math.ceil(bytes / 1024)),
      Section: 'admin',
      Priority: 'optional',
      ...needs,
      Description: `${short}\n ${long}`,
    },
    scripts: scriptsOf(program),
  };
}

/** What runs on a machine without systemd does nothing. */
function scriptsOf(program: ProgramName): Record<string, string> {
  const unit = UNITS[program].name;
  const hasSystemd = '[ -d /run/systemd/system ]';
  const script = (lines: readonly string[]) => `#!/bin/sh\nset -e\n${lines.join('\n')}\n`;
  const own = program === 'holdfast' ? '/var/lib/holdfast/hub /var/log/holdfast' : '/var/lib/holdfast/agent';
  return {
    postinst: script([
      ...(program === 'holdfast'
        ? [
            'adduser --system --group --quiet --no-create-home --home /var/lib/holdfast/hub holdfast >/dev/null',
          ]
        : []),
      `if ${hasSystemd}; then`,
      '  systemctl daemon-reload',
      `  if systemctl is-active --quiet ${unit}; then systemctl restart ${unit}; fi`,
      'fi',
    ]),
    prerm: script([
      `if [ "$1" = remove ] && ${hasSystemd}; then systemctl disable --now ${unit} 2>/dev/null || true; fi`,
    ]),
    postrm: script([
      `if ${hasSystemd}; then systemctl daemon-reload; fi`,
      `if [ "$1" = purge ]; then rm -rf ${own}; fi`,
    ]),
  };
}
