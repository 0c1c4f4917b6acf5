import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Engine } from './engine.ts';

/** Images of busybox that differ only in their number: what a new version of an application looks like. */
export const appImage = (version: number, name = 'app') => `holdfast.test/${name}:${version}`;

/**
 * Makes them on the engine. No registry is needed. Tests that look at the image of a container, or remove one, need a
 * name of their own: who makes an image again takes its name from the one before.
 */
export async function makeAppImages(
  engine: Engine,
  versions: readonly number[],
  name = 'app',
): Promise<void> {
  for (const version of versions) {
    const answer = await engine.docker.importImage(PassThrough.from([rootArchive(version)]), {
      repo: appImage(version, name), // with its tag: Podman does not look at one that is told apart
    } as object);
    for await (const _ of answer as AsyncIterable<unknown>);
  }
}

/** The files of such an image. */
export function rootArchive(version: number): Buffer {
  const root = mkdtempSync(join(tmpdir(), 'hf-image-'));
  for (const dir of ['bin', 'tmp', 'etc', 'www']) mkdirSync(join(root, dir));
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of [
    'sh',
    'sleep',
    'httpd',
    'wget',
    'cat',
    'echo',
    'trap',
    'true',
    'false',
    'ls',
    'id',
    'test',
    'rm',
    'touch',
    'seq',
    'dd',
    'tar',
  ]) {
    symlinkSync('busybox', join(root, 'bin', applet));
  }
  writeFileSync(join(root, 'www/version'), `${version}\n`);
  const archive = execFileSync('tar', ['-C', root, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 });
  rmSync(root, { recursive: true });
  return archive;
}

/** A shell line that works until it is told to end, and then ends at once. */
export const WORK = 'trap "exit 0" TERM; while true; do sleep 1000 & wait $!; done';
