import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { Config } from '../config.ts';
import { type FailureKind, type PullSecret, RuntimeError } from '../runtime/runtime.ts';

/** What `image pull` ends with when the hub has no such image: somebody else may. */
export const HUB_HAS_NONE = 3;

/** What such a process is told, in a line: others can see what is in its arguments. */
export interface PullJob {
  readonly image: string;
  readonly from: readonly ('hub' | 'registry')[];
  readonly secrets: readonly PullSecret[];
}

export interface PullOutcome {
  /** Otherwise the engine is to get it itself. */
  readonly isHad: boolean;
  /** Why not, where somebody was asked in vain. */
  readonly reason?: string;
}

/** What it says, a line each. */
export type PullNews =
  | { readonly type: 'progress'; readonly done: number; readonly total: number }
  | ({ readonly type: 'done' } & PullOutcome)
  | { readonly type: 'failed'; readonly kind: FailureKind; readonly message: string };

/**
 * Gets an image in a process that ends: a download needs memory that an agent does not have for good, and ends with the agent.
 * Rejects with why it can not be had.
 */
export async function pullInProcess(
  job: PullJob,
  { dataDir, dockerHost, peerPort }: Pick<Config, 'dataDir' | 'dockerHost' | 'peerPort'>,
  onProgress: (done: number, total: number) => void,
): Promise<PullOutcome> {
  const settings = ['--data-dir', dataDir, '--docker-host', dockerHost];
  const peers = peerPort ? ['--peer-port', peerPort] : [];
  const args = [...process.execArgv, process.argv[1] ?? '', 'image', 'fetch', ...settings, ...peers];
  const child = spawn(process.execPath, args, { stdio: 'pipe' });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject).once('close', () => resolve());
  });
  child.stdin.on('error', () => undefined); // it tells by its end
  child.stdin.write(`${JSON.stringify(job)}\n`); // and open as long as the agent lives
  const complaints = text(child.stderr);
  let last: PullNews | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const news = JSON.parse(line) as PullNews;
    if (news.type === 'progress') onProgress(news.done, news.total);
    else last = news;
  }
  child.stdin.end();
  await ended;
  if (last?.type === 'done') return last;
  if (last?.type === 'failed') throw new RuntimeError(last.kind, last.message);
  const [complaint] = (await complaints).trim().split('\n');
  throw new Error(
    complaint || `the process that downloads images ended with ${child.exitCode ?? child.signalCode}`,
  );
}
