import { createInterface } from 'node:readline';
import type { Config } from '../config.ts';
import { monotonicMs } from '../monotonic.ts';
import { RuntimeError } from '../runtime/runtime.ts';
import { readIdentityFile } from '../state/identity-file.ts';
import { credentialsFor } from './credentials.ts';
import { locate } from './engine-registries.ts';
import { lookAtEngine } from './engine-store.ts';
import { stepToTell } from './progress.ts';
import { type PullOptions, pullFromHub, pullImage } from './pull-image.ts';
import type { PullJob, PullNews, PullOutcome } from './pull-process.ts';
import { parseReference } from './reference.ts';
import { RemoteRegistry } from './remote-registry.ts';

/** `holdfast-agent image fetch`: takes a job from its input, and says what comes of it. Ends with who started it. */
export async function fetchCommand(
  config: Pick<Config, 'dataDir' | 'dockerHost' | 'peerPort'>,
): Promise<void> {
  const lines = createInterface({ input: process.stdin });
  let isDone = false;
  lines.once('close', () => {
    if (!isDone) process.exit(1);
  });
  const job = await new Promise<PullJob>((resolve) =>
    lines.once('line', (line) => resolve(JSON.parse(line) as PullJob)),
  );
  try {
    tell({ type: 'done', ...(await fetchImage(job, config)) });
  } catch (error) {
    const { message } = error as Error;
    tell({ type: 'failed', kind: error instanceof RuntimeError ? error.kind : 'other', message });
  }
  isDone = true;
  process.stdin.destroy();
}

async function fetchImage(
  job: PullJob,
  { dataDir, dockerHost, peerPort }: Pick<Config, 'dataDir' | 'dockerHost' | 'peerPort'>,
): Promise<PullOutcome> {
  const { image, from } = job;
  const options: PullOptions = { engine: dockerHost, dataDir, onProgress: progress() };
  let reason = '';
  if (from.includes('hub')) {
    const hub = {
      ...options,
      identity: readIdentityFile(dataDir),
      peerPort: peerPort ? Number(peerPort) : undefined,
    };
    try {
      if (await pullFromHub(image, hub)) return { isHad: true };
    } catch (error) {
      if (error instanceof RuntimeError && error.kind === 'disk-full') throw error;
      reason = (error as Error).message;
    }
  }
  try {
    if (from.includes('registry') && (await pullFromRegistry(job, options))) return { isHad: true };
  } catch (error) {
    if (!reason) throw error;
    throw new RuntimeError(
      error instanceof RuntimeError ? error.kind : 'other',
      `${(error as Error).message}; ${reason}`,
    );
  }
  return { isHad: false, ...(reason && { reason }) };
}

/** Resolves with whether this program can get it as the engine would. */
async function pullFromRegistry({ image, secrets }: PullJob, options: PullOptions): Promise<boolean> {
  const reference = parseReference(image);
  const location = locate(reference, await lookAtEngine(options.engine));
  if (!location) return false;
  const { repository, credentialsHost: host } = location;
  const registry = new RemoteRegistry(location, credentialsFor(secrets, { host, repository }));
  const fetch = (digest: string, start: number) => registry.blob(digest, start);
  await pullImage(image, reference.digest ?? reference.tag ?? '', options, {
    manifest: (wanted) => registry.manifest(wanted),
    blobs: [fetch, fetch], // once more when what was there before is no good
  });
  return true;
}

function progress(): NonNullable<PullOptions['onProgress']> {
  const startedAtMs = monotonicMs();
  let told = 0;
  return (done, total) => {
    const next = stepToTell({ done, total }, told, monotonicMs() - startedAtMs);
    if (next === undefined) return;
    told = next;
    tell({ type: 'progress', done, total });
  };
}

function tell(news: PullNews): void {
  process.stdout.write(`${JSON.stringify(news)}\n`);
}
