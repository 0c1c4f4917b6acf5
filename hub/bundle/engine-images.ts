import { spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { BundledImage } from '../../proto/bundle/bundle-index.ts';
import { writeImageLayout } from './saved-images.ts';

/**
 * Writes images that an engine has into `tree` as an OCI layout; nothing for no images. `work`: a place for what the engine
 * saves meanwhile, which is removed. Rejects with what to do about it.
 */
export async function layoutOf(
  images: readonly string[],
  engine: string,
  work: string,
  tree: string,
): Promise<BundledImage[]> {
  if (images.length === 0) return [];
  await mkdir(work);
  await save(engine, images, work);
  const found = await writeImageLayout(work, tree);
  await rm(work, { recursive: true });
  return found;
}

/** The engine's archive, unpacked. */
async function save(engine: string, images: readonly string[], dir: string): Promise<void> {
  for (const name of images) {
    const found = await ask(engine, `/images/${encodeURIComponent(name)}/json`);
    found.resume();
    if (found.statusCode === 404) throw new Error(`the engine has no image "${name}": pull it first`);
  }
  const query = new URLSearchParams(images.map((name): [string, string] => ['names', name]));
  const answer = await ask(engine, `/images/get?${query}`);
  if (answer.statusCode !== 200) {
    let text = '';
    for await (const chunk of answer) text += chunk;
    throw new Error(`the engine does not give the images: ${text.trim()}`);
  }
  const tar = spawn('tar', ['-xf', '-', '-C', dir, '--no-same-owner'], {
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.once('exit', resolve).once('error', reject);
  });
  await pipeline(answer, tar.stdin);
  if ((await ended) !== 0)
    throw new Error(`what the engine saved can not be unpacked in "${dir}": is there room?`);
}

async function ask(engine: string, path: string): Promise<IncomingMessage> {
  const url = new URL(engine);
  const to = url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: url.port };
  try {
    return await new Promise((resolve, reject) => {
      request({ ...to, path, agent: false }, resolve)
        .once('error', reject)
        .end();
    });
  } catch (error) {
    throw new Error(`the engine at ${engine} must have the images, and does not answer`, { cause: error });
  }
}
