import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AgentRelease, PackageReference } from '../../proto/agent-release.ts';
import { INSUFFICIENT_DISK } from '../../proto/pod-update.ts';
import { checkPackage } from './check-package.ts';
import { type DownloadSource, downloadPackage, downloadText } from './download.ts';
import { aboutPackage, type Installation } from './installation.ts';
import { moveDurably, Slots, syncFile } from './slots.ts';
import { StagingFailure } from './staging-failure.ts';

/** What it takes to get a version beside the one that runs. */
export interface StagingOrder {
  readonly release: Pick<AgentRelease, 'version' | 'full' | 'slim'>;
  readonly installation: Installation;
  readonly source: DownloadSource;
  /** `amd64` */
  readonly arch: string;
  /** A directory with a copy of the agent's database, on which the version is to show that it can read it. */
  readonly stateCopy: string;
}

/** Of a package, unpacked without Node.js, and with it; gzip makes a fifth and a third of them. */
const [SLIM_FACTOR, FULL_FACTOR] = [8, 4];
/** What a device needs to go on with, besides. */
const SPARE_BYTES = 8 * 1024 * 1024;
const SELF_TEST_MS = 120_000;
const MIB = 1024 * 1024;
const run = promisify(execFile);

/**
 * Puts a version, checked and whole, into the free slot. In a process of its own, which may end at any time: what it left is
 * used or removed by the next. Rejects with a StagingFailure.
 */
export async function stageRelease(order: StagingOrder): Promise<void> {
  const { release, installation } = order;
  const { full, slim } = release;
  const downloads = join(installation.slots, 'download');
  try {
    const isStaged = slim !== undefined && (await stageFrom(order, slim, true));
    if (!isStaged && !full) throw new StagingFailure('NoPackage', noPackage(order), true);
    if (!isStaged && full) await stageFrom(order, full, false);
    rmSync(downloads, { recursive: true, force: true });
  } catch (error) {
    rmSync(asideOf(installation), { recursive: true, force: true });
    const goesOn = error instanceof StagingFailure && error.reason === 'DownloadFailed';
    if (!goesOn) rmSync(downloads, { recursive: true, force: true });
    throw error;
  }
}

/** Where a package is unpacked: another place for each process, as what it started may outlive it for a moment. */
function asideOf(installation: Installation): string {
  return join(installation.slots, `${new Slots(installation).free}.new-${process.pid}`);
}

function noPackage({ release: { version, slim }, arch }: StagingOrder): string {
  return slim
    ? `${version} needs another Node.js than this device has (${process.versions.node}), and the hub has no package with it for ${arch}: add holdfast-agent-${version}-linux-${arch}.tar.gz`
    : `the hub has no package of ${version} for ${arch}`;
}

/** Resolves with false for a package without Node.js that needs another one than there is here. */
async function stageFrom(order: StagingOrder, wanted: PackageReference, isSlim: boolean): Promise<boolean> {
  const { installation, source } = order;
  const slot = new Slots(installation).free;
  const aside = asideOf(installation);
  const downloads = join(installation.slots, 'download');
  removeOthers(downloads, wanted);
  checkRoom(installation, wanted, isSlim);
  mkdirSync(downloads, { recursive: true, mode: 0o700 });
  const file = join(downloads, wanted.sha256);
  const isGoneOnWith = existsSync(file);
  await downloadPackage(source, wanted, file);
  const minisig = await downloadText(source, `${wanted.name}.minisig`);
  await checkPackage(file, wanted, {
    minisig,
    keyFile: join(installation.home, 'lib/release.pub'),
    // Of a download that broke off when the power went, the end may be anything.
    isFinal: !isGoneOnWith,
  });
  mkdirSync(aside, { recursive: true, mode: 0o700 });
  const unpacked = await unpack(file, aside, wanted);
  const isUsable = checkContents(order, unpacked, isSlim);
  if (isUsable) {
    if (isSlim) shareRuntime(join(installation.home, 'lib/node'), join(unpacked, 'lib/node'));
    await selfTest(order, unpacked);
    syncTree(unpacked);
    takeSlot(installation, slot, unpacked);
  }
  for (const left of [aside, file]) rmSync(left, { recursive: true, force: true });
  return isUsable;
}

/** Downloads of a version that is not wanted any more. */
function removeOthers(downloads: string, { sha256 }: PackageReference): void {
  if (!existsSync(downloads)) return;
  for (const name of readdirSync(downloads))
    if (name !== sha256) rmSync(join(downloads, name), { recursive: true, force: true });
}

/** Before anything is written: a disk that is filled up to the last byte stops more than an update. */
function checkRoom({ slots, home }: Installation, { bytes }: PackageReference, isSlim: boolean): void {
  const runtimeBytes = isSlim && isOtherDisk(home, slots) ? statSync(join(home, 'lib/node')).size : 0;
  const wanted = bytes * (1 + (isSlim ? SLIM_FACTOR : FULL_FACTOR)) + runtimeBytes + SPARE_BYTES;
  const free = freeBytes(slots);
  if (free >= wanted) return;
  const mib = (value: number) => `${Math.ceil(value / MIB)} MiB`;
  throw new StagingFailure(
    INSUFFICIENT_DISK,
    `the update needs ${mib(wanted)} on the disk of "${slots}", and ${mib(free)} are free: free space there`,
    false,
  );
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

const isOtherDisk = (a: string, b: string) => statSync(a).dev !== statSync(b).dev;

/** Resolves with the folder of the package. */
async function unpack(file: string, into: string, { name }: PackageReference): Promise<string> {
  try {
    await run('tar', ['-xzof', file, '-C', into]);
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const said = stderr.trim().split('\n')[0] || message;
    if (freeBytes(into) < SPARE_BYTES)
      throw new StagingFailure(
        INSUFFICIENT_DISK,
        `the disk was full when "${name}" was unpacked: free space on "${into}"`,
        false,
      );
    // It is what was signed: that it can not be unpacked is this device's.
    throw new StagingFailure('UnpackFailed', `"${name}" can not be unpacked on this device: ${said}`, false);
  }
  return join(into, name.replace(/(-slim)?\.tar\.gz$/, ''));
}

/** Whether it can be used; false for one that lacks the Node.js that it needs. Throws when it is not what it should be. */
function checkContents({ release, arch }: StagingOrder, folder: string, isSlim: boolean): boolean {
  const about = aboutPackage(folder);
  const is = `${about?.version ?? 'nothing that says its version'} for ${about?.arch ?? 'no processor'}`;
  if (about?.version !== release.version || about.arch !== arch)
    throw new StagingFailure(
      'WrongPackage',
      `the package must be ${release.version} for ${arch}, and is ${is}`,
      true,
    );
  return !isSlim || about.node === process.versions.node;
}

/** The same file where that can be, for it is most of a package. */
function shareRuntime(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to); // on another disk, or one without links
  }
}

/** It starts here, and can read what the agent must not forget. */
async function selfTest({ stateCopy, release: { version } }: StagingOrder, folder: string): Promise<void> {
  try {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOLDFAST_AGENT_SLOT: 'test' };
    const { stdout } = await run(join(folder, 'bin/holdfast-agent'), ['self-test', stateCopy], {
      env,
      timeout: SELF_TEST_MS,
      killSignal: 'SIGKILL',
    });
    if (stdout.trim() === version) return;
    throw new Error(`it says that it is "${stdout.trim()}"`);
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string };
    const lines = stderr.trim().split('\n');
    const why = lines.find((line) => line.startsWith('holdfast-agent ')) ?? (lines[0] || message);
    throw new StagingFailure('SelfTestFailed', `${version} does not work on this device: ${why}`, true);
  }
}

function syncTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) syncTree(path);
    else if (entry.isFile()) syncFile(path);
  }
  syncFile(folder);
}

/** What was in the slot goes first, aside: a slot is one version, whole, or none. */
function takeSlot({ slots }: Installation, slot: 'a' | 'b', unpacked: string): void {
  const [place, before] = [join(slots, slot), join(slots, `${slot}.old`)];
  if (statSync(place, { throwIfNoEntry: false })) renameSync(place, before);
  moveDurably(unpacked, place);
  rmSync(before, { recursive: true, force: true });
}
