import { chmodSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Contents, contentsOf } from '../../scripts/package/contents.ts';
import type { SigningKey } from '../../scripts/package/minisign-key.ts';
import { archiveOf, withoutRuntime } from '../../scripts/package/packages.ts';
import { runtimeFor } from '../../scripts/package/runtime.ts';
import { TARGETS } from '../../scripts/package/target.ts';

type File = Contents['files'][number];

export interface ReleaseMaking {
  readonly version: string;
  /** What becomes of the agent's program: of each file, by its name. */
  readonly program?: (text: string, name: string) => string;
  /** What becomes of what the package says of itself. */
  readonly about?: (about: Record<string, string>) => Record<string, string>;
  readonly isSlim?: boolean;
}

/** Versions of the agent, made of this checkout by the code that makes its packages, and what a bad one may have. */
export class Releases {
  readonly #contents: Contents;

  private constructor(contents: Contents) {
    this.#contents = contents;
  }

  static async of(publicKey: string): Promise<Releases> {
    return new Releases(await contentsOf('holdfast-agent', target(), publicKey));
  }

  /** Puts a version where somebody would install it. Returns its program. */
  install(dir: string, version: string): string {
    for (const { path, mode, content } of this.#changed({ version }).files) {
      const file = join(dir, path);
      mkdirSync(dirname(file), { recursive: true });
      if (path === 'lib/node') {
        linkSync(runtimeFor(target()).path, file);
        continue;
      }
      writeFileSync(file, content);
      chmodSync(file, mode);
    }
    return join(dir, 'bin/holdfast-agent');
  }

  /** Writes a signed archive. Returns its path. */
  write(dir: string, key: SigningKey, making: ReleaseMaking): string {
    const { version, isSlim = true } = making;
    const contents = this.#changed(making);
    const files = isSlim ? withoutRuntime(contents.files) : contents.files;
    const name = `holdfast-agent-${version}-linux-${contents.target.arch}${isSlim ? '-slim' : ''}.tar.gz`;
    const content = gzipSync(Buffer.concat(archiveOf({ ...contents, files })), { level: 1 });
    mkdirSync(dir, { recursive: true });
    writeFileSync(join(dir, name), content);
    writeFileSync(join(dir, `${name}.minisig`), key.sign(content, name));
    return join(dir, name);
  }

  #changed({ version, program = (text) => text, about = (given) => given }: ReleaseMaking): Contents {
    const { version: before } = this.#contents;
    const changeOf = (path: string): ((text: string) => string) | undefined => {
      if (path === 'package.json')
        return (text) => {
          const changed = about({ ...(JSON.parse(text) as Record<string, string>), version });
          return `${JSON.stringify(changed, undefined, 2)}\n`;
        };
      if (!path.startsWith('lib/agent/') || !path.endsWith('.mjs')) return undefined;
      return (text) => program(text.replaceAll(`"v${before}"`, `"v${version}"`), basename(path));
    };
    const changed = (file: File): File => {
      const change = changeOf(file.path);
      return change ? { ...file, content: Buffer.from(change(file.content.toString())) } : file;
    };
    return { ...this.#contents, version, files: this.#contents.files.map(changed) };
  }
}

/** An agent that does this first, in each of its commands that is named. */
export function first(code: string, command = 'run'): NonNullable<ReleaseMaking['program']> {
  return (text, name) =>
    name === 'agent.mjs' ? `if (process.argv[2] === '${command}') { ${code} }\n${text}` : text;
}

function target() {
  const found = TARGETS.find(({ bundle }) => bundle === `linux-${process.arch}`);
  if (!found) throw new Error(`packages are made for no ${process.arch}`);
  return found;
}
