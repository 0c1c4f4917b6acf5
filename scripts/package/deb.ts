import { gzipSync } from 'node:zlib';
import { type TarEntry, tarOf } from '../tar.ts';

/** What Debian is told of a package: deb-control(5), and the scripts that it runs. */
export interface DebControl {
  readonly fields: Readonly<Record<string, string>>;
  readonly conffiles?: readonly string[];
  /** postinst, prerm, postrm, preinst → text. */
  readonly scripts: Readonly<Record<string, string>>;
}

/** A Debian package (deb(5)): an `ar` archive of three members. `data`: its files, compressed. The same input gives the same bytes. */
export function debOf({ fields, conffiles = [], scripts }: DebControl, data: Buffer): Buffer {
  const control = Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
  const file = (path: string, text: string, mode: number): TarEntry => ({
    ...{ type: 'file', path: `./${path}`, mode },
    content: Buffer.from(text),
  });
  const entries = [
    file('control', control, 0o644),
    ...(conffiles.length > 0
      ? [file('conffiles', conffiles.map((each) => `${each}\n`).join(''), 0o644)]
      : []),
    ...Object.entries(scripts).map(([name, text]) => file(name, text, 0o755)),
  ];
  return arOf([
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(tarOf(entries), { level: 9 })],
    ['data.tar.gz', data],
  ]);
}

function arOf(members: readonly (readonly [name: string, content: Buffer])[]): Buffer {
  const parts = members.flatMap(([name, content]) => {
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(content.length).padEnd(10)}\`\n`;
    return [Buffer.from(header), content, Buffer.alloc(content.length % 2, '\n')];
  });
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts]);
}
