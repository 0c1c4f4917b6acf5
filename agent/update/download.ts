import { statSync, truncateSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { text } from 'node:stream/consumers';
import type { PackageReference } from '../../proto/agent-release.ts';
import { INSUFFICIENT_DISK } from '../../proto/pod-update.ts';
import { StagingFailure } from './staging-failure.ts';

/** The hub's HTTPS, as a device that has joined knows it. */
export interface DownloadSource {
  readonly host: string;
  readonly port: number;
  /** PEM: nobody else's certificates are good. */
  readonly caCertificate: string;
}

/** A connection on which nothing comes for as long is given up. */
const STALLED_MS = 60_000;
const MOST_TEXT_BYTES = 16_384;
const FULL: readonly string[] = ['ENOSPC', 'EDQUOT'];

/**
 * Downloads a package to a file, which goes on where it ended before. One that is larger than it should be is never
 * written whole. Rejects with a StagingFailure.
 */
export async function downloadPackage(
  source: DownloadSource,
  { name, sha256, bytes }: PackageReference,
  file: string,
): Promise<void> {
  for (let before = -1; sizeOf(file) < bytes; ) {
    const from = sizeOf(file);
    // What broke off is gone on with as long as there is something new each time.
    if (from <= before) throw new StagingFailure('DownloadFailed', brokeOff(name, from, bytes), false);
    before = from;
    await downloadRest(source, { name, sha256, bytes }, file, from);
  }
  if (sizeOf(file) === bytes) return;
  truncateSync(file);
  throw new StagingFailure(
    'WrongContent',
    `the hub has more of "${name}" than the ${bytes} bytes that it told of`,
    true,
  );
}

const brokeOff = (name: string, from: number, bytes: number) =>
  `the download of "${name}" broke off after ${from} of ${bytes} bytes: it is tried again`;

async function downloadRest(
  source: DownloadSource,
  { name, sha256, bytes }: PackageReference,
  file: string,
  from: number,
): Promise<void> {
  const headers = from > 0 ? { Range: `bytes=${from}-`, 'If-Range': `"${sha256}"` } : {};
  const answer = await ask(source, name, headers);
  const isRest = answer.statusCode === 206;
  const start = isRest ? from : 0;
  if (!isRest && from > 0) truncateSync(file);
  const out = await open(file, 'a', 0o600);
  try {
    let left = bytes - start + 1; // one that is larger shows itself
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      await out.writeFile(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) break;
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!FULL.includes(code)) return; // how far it came is seen from the file
    const message = `the disk was full while "${name}" was downloaded: free space on "${file}"`;
    throw new StagingFailure(INSUFFICIENT_DISK, message, false);
  } finally {
    await out.close();
  }
}

/** A small text that the hub has. Rejects with a StagingFailure. */
export async function downloadText(source: DownloadSource, name: string): Promise<string> {
  const answer = await ask(source, name, {});
  const length = Number(answer.headers['content-length'] ?? Number.NaN);
  if (length <= MOST_TEXT_BYTES) return text(answer);
  answer.destroy();
  throw new StagingFailure('DownloadFailed', `"${name}" must have at most ${MOST_TEXT_BYTES} bytes`, false);
}

/** Resolves with an answer that has what was asked for. */
async function ask(
  { host, port, caCertificate }: DownloadSource,
  name: string,
  headers: Readonly<Record<string, string>>,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const path = `/packages/${encodeURIComponent(name)}`;
  const request = get({ host, port, path, headers, ca: caCertificate, agent: false }, resolve);
  request.once('error', reject);
  request.setTimeout(STALLED_MS, () => request.destroy(new Error(`nothing came for ${STALLED_MS / 1000} s`)));
  try {
    const answer = await promise;
    if (answer.statusCode === 200 || answer.statusCode === 206) return answer;
    answer.resume();
    throw new Error(`the answer was ${answer.statusCode}`);
  } catch (error) {
    const where = `https://${host}:${port}${path}`;
    throw new StagingFailure(
      'DownloadFailed',
      `"${where}" can not be downloaded: ${(error as Error).message}`,
      false,
    );
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
