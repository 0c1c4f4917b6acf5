import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { newFileHash, type PublicKey, signatureProblem } from '../../proto/minisign.ts';
import { giveToHub } from './give-to-hub.ts';
import { contentsProblem } from './package-contents.ts';
import { comparePackages, type PackageName, parsePackageName } from './package-name.ts';

/** What is kept of a package besides its content. */
export interface StoredPackage extends PackageName {
  /** Of the content as it was when its signature was checked, hex. */
  readonly sha256: string;
  readonly bytes: number;
  /** minisign's, by the key of the release. */
  readonly signature: string;
}

/** What a crash left is removed after this. */
const ABANDONED_MS = 3_600_000;

/**
 * Packages that devices may have. A content is kept under its hash; what makes it a package is its record, which is written
 * last: a package is there as a whole, or not at all. The command that adds them and the hub that serves them are two
 * processes; each looks at the files.
 */
export class PackageStore {
  readonly #dir: string;
  readonly #dataDir: string;

  /** In the data directory of a hub. */
  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.#dir = join(dataDir, 'packages');
  }

  /** From the oldest version to the newest. */
  list(): StoredPackage[] {
    return namesIn(this.#dir)
      .flatMap((file) => (file.endsWith('.json') ? [this.get(file.slice(0, -'.json'.length))] : []))
      .filter((found) => found !== undefined)
      .sort(comparePackages);
  }

  get(name: string): StoredPackage | undefined {
    const parsed = parsePackageName(name);
    if (!parsed) return undefined;
    try {
      const record = JSON.parse(readFileSync(this.#recordOf(name), 'utf8')) as StoredPackage;
      return { ...record, ...parsed };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Where its content is. */
  contentOf({ sha256 }: StoredPackage): string {
    return join(this.#dir, 'contents', sha256);
  }

  /** Takes a package whose signature is beside it, in place of one of the same name. Rejects with what is wrong with it. */
  async add(path: string, key: PublicKey): Promise<StoredPackage> {
    const name = basename(path);
    const about = parsePackageName(name);
    if (!about)
      throw new Error(`"${name}" must be called as a package is: holdfast-agent-1.2.3-linux-arm64.tar.gz`);
    const signature = readSignature(path);
    this.#makeDirectories();
    const aside = join(this.#dir, 'contents', `.${process.pid}-${name}`);
    try {
      const { sha256, blake2b, bytes } = await copyDurably(path, aside);
      const problem =
        signatureProblem(signature, key, blake2b, name) ?? (await contentsProblem(aside, about));
      if (problem) throw new Error(`"${name}" is refused: ${problem}`);
      const stored = { ...about, sha256, bytes, signature };
      this.#put(stored, aside);
      return stored;
    } catch (error) {
      throw whyNot(error as Error, name, this.#dir);
    } finally {
      rmSync(aside, { force: true });
    }
  }

  /** Answers whether it was there. */
  remove(name: string): boolean {
    const stored = this.get(name);
    if (!stored) return false;
    rmSync(this.#recordOf(name));
    syncDirectory(this.#dir);
    this.#forget(stored);
    return true;
  }

  #put(stored: StoredPackage, aside: string): void {
    const before = this.get(stored.name);
    const content = this.contentOf(stored);
    giveToHub(aside, this.#dataDir);
    renameSync(aside, content);
    syncDirectory(join(this.#dir, 'contents'));
    const record = this.#recordOf(stored.name);
    const { sha256, bytes, signature } = stored;
    writeFileSync(`${record}.tmp`, JSON.stringify({ sha256, bytes, signature }), {
      mode: 0o600,
      flush: true,
    });
    giveToHub(`${record}.tmp`, this.#dataDir);
    renameSync(`${record}.tmp`, record);
    syncDirectory(this.#dir);
    if (before) this.#forget(before);
    this.#removeAbandoned();
  }

  /** Its content, if it is no other's as well. Whoever is reading it reads on. */
  #forget({ sha256 }: StoredPackage): void {
    if (!this.list().some((each) => each.sha256 === sha256)) rmSync(this.#contentAt(sha256), { force: true });
  }

  #removeAbandoned(): void {
    const used = new Set(this.list().map(({ sha256 }) => sha256));
    for (const name of namesIn(join(this.#dir, 'contents'))) {
      const path = this.#contentAt(name);
      const ageMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0);
      if (!used.has(name) && ageMs > ABANDONED_MS) rmSync(path, { force: true });
    }
  }

  #makeDirectories(): void {
    if (!statSync(this.#dataDir, { throwIfNoEntry: false })?.isDirectory())
      throw new Error(`no hub has its data in "${this.#dataDir}": --data-dir must name the directory of one`);
    for (const dir of [this.#dir, join(this.#dir, 'contents')]) {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      giveToHub(dir, this.#dataDir);
    }
  }

  #recordOf(name: string): string {
    return join(this.#dir, `${name}.json`);
  }

  #contentAt(name: string): string {
    return join(this.#dir, 'contents', name);
  }
}

function readSignature(path: string): string {
  try {
    return readFileSync(`${path}.minisig`, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error(
      `"${basename(path)}" is not signed: its signature must be beside it, in "${path}.minisig"`,
    );
  }
}

/** In one reading: what is checked is what is kept. On the disk when it resolves. */
async function copyDurably(from: string, to: string) {
  const [sha256, blake2b]: [Hash, Hash] = [createHash('sha256'), newFileHash()];
  let bytes = 0;
  const file = openSync(to, 'w', 0o600);
  try {
    for await (const chunk of createReadStream(from) as AsyncIterable<Buffer>) {
      for (let done = 0; done < chunk.length; ) done += writeSync(file, chunk, done);
      sha256.update(chunk);
      blake2b.update(chunk);
      bytes += chunk.length;
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return { sha256: sha256.digest('hex'), blake2b: blake2b.digest(), bytes };
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  fsyncSync(directory);
  closeSync(directory);
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function whyNot(error: Error, name: string, dir: string): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new Error(`"${name}" was not added: the disk of "${dir}" is full; make room, then add it again`);
}
