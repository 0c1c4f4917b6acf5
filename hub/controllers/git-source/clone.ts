import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GitRef } from '../../fleet/git-source.ts';
import type { Credentials } from './credentials.ts';
import { GitError, type GitRun, runGit, sizeOf, tooLarge } from './git.ts';
import type { ManifestFile } from './manifests.ts';

/** What one revision may be at most. */
export interface GitLimits {
  /** Of all that git keeps of it, packed. */
  readonly repositoryBytes: number;
  readonly manifestFiles: number;
  readonly manifestBytes: number;
  /** All of them together. */
  readonly totalManifestBytes: number;
  readonly objects: number;
}

export const GIT_LIMITS: GitLimits = {
  repositoryBytes: 256 * 1024 * 1024,
  manifestFiles: 2000,
  manifestBytes: 3 * 1024 * 1024,
  totalManifestBytes: 8 * 1024 * 1024,
  objects: 5000,
};

interface Run {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface Fetch extends Run {
  readonly url: string;
  readonly ref: GitRef | undefined;
  /** Made for the directory that it is given. */
  readonly credentials: (directory: string) => Credentials;
}

const TIP = 'refs/holdfast/tip';
/** A listing of a million files. */
const MAX_LISTING_BYTES = 64 * 1024 * 1024;
const MAX_ANSWER_BYTES = 4096;
const MANIFEST = /\.(ya?ml|json)$/;
const SYMBOLIC_LINK = '120000';
/** Left by a git that was killed; or a disk has lost something. */
const BROKEN =
  /\.lock|corrupt|bad object|loose object|not a git repository|bad config|unable to read|packfile/i;

/**
 * A copy of the newest revision of one repository, without any working files: what is in it is never on the disk under
 * a name of its own choosing, and no filter or hook of it runs. A cache: it may be lost at any time.
 */
export class Clone {
  readonly #directory: string;
  readonly #limits: GitLimits;

  constructor(directory: string, limits: GitLimits) {
    this.#directory = directory;
    this.#limits = limits;
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Resolves with the commit that `ref` stands for now; rejects with a GitError. */
  async fetch({ url, ref, credentials, timeoutMs, signal }: Fetch): Promise<string> {
    const run = { timeoutMs, signal };
    const { repositoryBytes } = this.#limits;
    try {
      // What older revisions have left is dropped all at once.
      if ((await sizeOf(this.#directory)) > repositoryBytes / 2) this.remove();
      if (!existsSync(join(this.#directory, 'HEAD'))) await this.#init(run);
      if (ref?.commit !== undefined && (await this.#has(ref.commit, run))) return ref.commit;
      await this.#withFiles(credentials, (env) =>
        this.#git(
          [
            'fetch',
            '--quiet',
            '--depth=1',
            '--no-tags',
            '--no-recurse-submodules',
            '--force',
            '--',
            url,
            refSpec(ref),
          ],
          { ...run, env, maxRepositoryBytes: repositoryBytes },
        ),
      );
      if ((await sizeOf(this.#directory)) > repositoryBytes) throw tooLarge(repositoryBytes);
      const answer = await this.#git(['rev-parse', '--verify', `${TIP}^{commit}`], run);
      return answer.toString().trim();
    } catch (error) {
      const isBroken = error instanceof GitError && BROKEN.test(error.message);
      if (isBroken || (error instanceof GitError && error.reason === 'RepositoryTooLarge')) this.remove();
      throw error;
    }
  }

  /**
   * The manifests below `path` as they are in a commit that was fetched. Rejects with an error that says what is not
   * accepted.
   */
  async manifests(commit: string, path: string, run: Run): Promise<ManifestFile[]> {
    const found = await this.#list(commit, path, run);
    const files = found.filter(({ name }) => MANIFEST.test(name) && !isHidden(name, path));
    this.#checkFiles(files, path);
    const input = files.map(({ hash }) => `${hash}\n`).join('');
    const maxOutputBytes = this.#limits.totalManifestBytes + files.length * 128;
    const answer = await this.#git(['cat-file', '--batch'], { ...run, input, maxOutputBytes });
    let at = 0;
    return files.map(({ name, size }) => {
      const start = answer.indexOf('\n', at) + 1;
      at = start + size + 1;
      return { path: name, text: answer.toString('utf8', start, start + size) };
    });
  }

  async #list(commit: string, path: string, run: Run): Promise<TreeEntry[]> {
    const folder = path
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/');
    const below = folder === '' ? [] : ['--', folder];
    const answer = await this.#git(['ls-tree', '-r', '-z', '-l', '--full-tree', commit, ...below], {
      ...run,
      maxOutputBytes: MAX_LISTING_BYTES,
    });
    const entries = answer.toString().split('\0').filter(Boolean).map(treeEntry);
    if (entries.length === 0 && folder !== '')
      throw new GitError(
        'RevisionNotFound',
        `commit ${commit.slice(0, 12)} has no folder "${folder}" (spec.path)`,
      );
    return entries;
  }

  #checkFiles(files: readonly TreeEntry[], path: string): void {
    const { manifestFiles, manifestBytes, totalManifestBytes } = this.#limits;
    const link = files.find(({ mode }) => mode === SYMBOLIC_LINK);
    if (link)
      throw refused(`${link.name} is a symbolic link, which is not followed: put the file itself there`);
    const large = files.find(({ size }) => size > manifestBytes);
    if (large) throw refused(`${large.name} has ${large.size} bytes: at most ${manifestBytes} are read`);
    if (files.length > manifestFiles)
      throw refused(`"${path}" has ${files.length} manifests: at most ${manifestFiles} are read`);
    const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
    if (totalBytes > totalManifestBytes)
      throw refused(
        `the manifests of "${path}" have ${totalBytes} bytes: at most ${totalManifestBytes} are read`,
      );
  }

  async #init(run: Run): Promise<void> {
    this.remove();
    checkVersion((await this.#git(['version'], run)).toString());
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    await this.#git(['init', '--quiet', '--bare', '--template='], run);
  }

  async #has(commit: string, run: Run): Promise<boolean> {
    try {
      await this.#git(['cat-file', '-e', `${commit}^{commit}`], run);
      return true;
    } catch (error) {
      if (error instanceof GitError && error.reason !== 'TimedOut') return false;
      throw error;
    }
  }

  /** Files are there, for us alone, for as long as `use` takes. */
  async #withFiles(
    credentials: Fetch['credentials'],
    use: (env: Credentials['env']) => Promise<unknown>,
  ): Promise<void> {
    const directory = mkdtempSync(`${this.#directory}.keys-`); // 0700
    try {
      const { env, files } = credentials(directory);
      for (const [name, content] of Object.entries(files))
        writeFileSync(join(directory, name), content, { mode: 0o600, flag: 'wx' });
      await use(env);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  #git(args: readonly string[], run: Partial<GitRun> & Run): Promise<Buffer> {
    return runGit(args, { maxOutputBytes: MAX_ANSWER_BYTES, ...run, repository: this.#directory });
  }
}

/** Older ones do not take settings from their environment. */
const OLDEST = [2, 31] as const;

/** Throws for what `git version` says of a git that is too old. */
export function checkVersion(said: string): void {
  const [, major = 0, minor = 0] = (/version (\d+)\.(\d+)/.exec(said) ?? []).map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  const message = `the hub's machine has ${said.trim().slice(0, 40)}: ${OLDEST.join('.')} or later is needed`;
  throw new GitError('GitMissing', message);
}

interface TreeEntry {
  readonly mode: string;
  readonly hash: string;
  readonly size: number;
  readonly name: string;
}

/** `100644 blob 1f2e…     123<TAB>apps/web.yaml` */
function treeEntry(line: string): TreeEntry {
  const tab = line.indexOf('\t');
  const [mode = '', , hash = '', size = ''] = line.slice(0, tab).split(/ +/);
  return { mode, hash, size: Number(size) || 0, name: line.slice(tab + 1) };
}

/** Below the path: whose name begins with a dot is for tools. */
function isHidden(name: string, path: string): boolean {
  const depth = path.split('/').filter((part) => part !== '' && part !== '.').length;
  return name
    .split('/')
    .slice(depth)
    .some((part) => part.startsWith('.'));
}

function refSpec(ref: GitRef = {}): string {
  if (ref.commit !== undefined) return `+${ref.commit}:${TIP}`;
  if (ref.tag !== undefined) return `+refs/tags/${ref.tag}:${TIP}`;
  return ref.branch === undefined ? `+HEAD:${TIP}` : `+refs/heads/${ref.branch}:${TIP}`;
}

function refused(message: string): GitError {
  return new GitError('ManifestsRefused', message);
}
