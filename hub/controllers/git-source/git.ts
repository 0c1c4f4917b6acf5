import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** One word for why git could not do it, for conditions. */
export type GitReason =
  | 'GitMissing'
  | 'TimedOut'
  | 'RepositoryTooLarge'
  | 'AuthenticationFailed'
  | 'HostKeyRefused'
  | 'CertificateRefused'
  | 'RepositoryNotFound'
  | 'RevisionNotFound'
  | 'ManifestsRefused'
  | 'FetchFailed';

export class GitError extends Error {
  readonly reason: GitReason;

  constructor(reason: GitReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

export interface GitRun {
  /** The bare repository. */
  readonly repository: string;
  /** Besides what every run has. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs: number;
  /** Of standard output. */
  readonly maxOutputBytes: number;
  /** How large the repository may grow meanwhile. */
  readonly maxRepositoryBytes?: number;
  readonly signal?: AbortSignal;
}

const MAX_ERROR_BYTES = 8192;
const SIZE_EVERY_MS = 100;

/** Where programs are on the systems that a hub runs on; nothing else of the hub's environment reaches git. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** No configuration of the machine or a user, no prompts, no helpers, no hooks. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH,
  LC_ALL: 'C',
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
};

/** Settings as git takes them from its environment, where no other user of the machine sees them. */
export function configEnvironment(settings: readonly (readonly [string, string])[]): Record<string, string> {
  return Object.fromEntries([
    ['GIT_CONFIG_COUNT', `${settings.length}`],
    ...settings.flatMap(([key, value], index) => [
      [`GIT_CONFIG_KEY_${index}`, key],
      [`GIT_CONFIG_VALUE_${index}`, value],
    ]),
  ]) as Record<string, string>;
}

/**
 * Runs git, and ends it with all that it started when it takes too long or too much. Resolves with what it printed;
 * rejects with a GitError.
 */
export function runGit(args: readonly string[], run: GitRun): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    run.signal?.throwIfAborted();
    const child = spawn('git', args, {
      env: { ...ENVIRONMENT, ...run.env, GIT_DIR: run.repository },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // its helpers are then of one group, and end with it
    });
    let problem: GitError | Error | undefined;
    const stop = (why: GitError | Error) => {
      problem ??= why;
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    };
    const output: Buffer[] = [];
    let outputBytes = 0;
    let errorText = '';
    child.stdout.on('data', (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes > run.maxOutputBytes)
        stop(
          new GitError(
            'RepositoryTooLarge',
            `git told more than ${run.maxOutputBytes} bytes of the repository`,
          ),
        );
      else output.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      errorText = `${errorText}${chunk}`.slice(-MAX_ERROR_BYTES);
    });
    const onAbort = () => stop(new Error('the hub stops'));
    run.signal?.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(
      () =>
        stop(new GitError('TimedOut', `git was not done within ${run.timeoutMs / 1000} s (spec.timeout)`)),
      run.timeoutMs,
    );
    const endWatch = watchSize(run, stop);
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      endWatch();
      run.signal?.removeEventListener('abort', onAbort);
      settle();
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      const isMissing = error.code === 'ENOENT';
      const why = isMissing
        ? new GitError('GitMissing', "the hub's machine has no program git: install it there")
        : error;
      finish(() => reject(why));
    });
    child.once('close', (code) => {
      if (problem || code !== 0) finish(() => reject(problem ?? gitError(errorText, code)));
      else finish(() => resolve(Buffer.concat(output)));
    });
    child.stdin.on('error', () => undefined); // it ended before it read all: its exit code says why
    child.stdin.end(run.input);
  });
}

/** Kernels have no limit for a directory: it is measured while git writes. */
function watchSize({ repository, maxRepositoryBytes }: GitRun, stop: (why: GitError) => void): () => void {
  if (maxRepositoryBytes === undefined) return () => undefined;
  const timer = setInterval(() => {
    void sizeOf(repository).then((bytes) => {
      if (bytes > maxRepositoryBytes) stop(tooLarge(maxRepositoryBytes));
    });
  }, SIZE_EVERY_MS);
  return () => clearInterval(timer);
}

export function tooLarge(maxBytes: number): GitError {
  const limit = `${Math.floor(maxBytes / 1024)} KiB`;
  return new GitError(
    'RepositoryTooLarge',
    `one revision of the repository has more than ${limit}: use a smaller one`,
  );
}

/** Bytes of all files below a directory; of those that can be read. */
export async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    if (entry.isFile())
      bytes += statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

const CAUSES: readonly (readonly [RegExp, GitReason, string])[] = [
  [/ssh: not found|cannot run ssh/, 'GitMissing', "the hub's machine has no program ssh: install it there"],
  [
    /host key verification failed/i,
    'HostKeyRefused',
    'the server has another host key than known_hosts of the Secret says, or none that it knows',
  ],
  [
    /could not read Username|could not read Password|Authentication failed|returned error: 40[13]|Permission denied \(|no such identity|error in libcrypto|invalid format/,
    'AuthenticationFailed',
    'the server does not accept the credentials of spec.secretRef',
  ],
  [
    /certificate|SSL|TLS/,
    'CertificateRefused',
    'the certificate of the server is not to be trusted: ca.crt in the Secret of spec.secretRef names an authority of your own',
  ],
  [
    /couldn't find remote ref|Server does not allow request for unadvertised|not our ref/i,
    'RevisionNotFound',
    'the repository has no such branch, tag or commit (spec.ref)',
  ],
  [
    /not found|does not appear to be a git repository|returned error: 404/i,
    'RepositoryNotFound',
    'there is no repository at spec.url, or none for these credentials',
  ],
  [
    /redirect|returned error: 30\d/i,
    'FetchFailed',
    'the server sends to another address, which is not followed: put that one into spec.url',
  ],
];

/** What git complained of, with what to do about it. */
export function gitError(text: string, code: number | null): GitError {
  const lines = text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a terminal would act on
    .replace(/[\x00-\x09\x0b-\x1f\x7f]+/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('hint:') && !line.startsWith('warning:'));
  const said = lines.slice(0, 4).join('; ').slice(0, 500) || `exit code ${code}`;
  const [, reason = 'FetchFailed', advice] = CAUSES.find(([pattern]) => pattern.test(text)) ?? [];
  return new GitError(reason, advice ? `${advice}; git said: ${said}` : `git said: ${said}`);
}
