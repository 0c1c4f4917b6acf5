import { readFileSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import type { Reading, Readings } from './thresholds.ts';

const KI = 1024;

/** `engineDir`: where the engine keeps its data, once that is known. */
export function signalReader(
  dataDir: string,
  engineDir: () => Promise<string | undefined>,
): () => Promise<Readings> {
  let isKnown = false;
  let ofItsOwn: string | undefined;
  return async () => {
    if (!isKnown) {
      const found = await engineDir().catch(() => undefined);
      isKnown = found !== undefined;
      ofItsOwn = found !== undefined && !(await isSameDisk(dataDir, found)) ? found : undefined;
    }
    return readSignals(dataDir, ofItsOwn);
  };
}

async function isSameDisk(...paths: string[]): Promise<boolean> {
  const found = await Promise.all(paths.map((path) => stat(path).catch(() => undefined)));
  return new Set(found.map((each) => each?.dev)).size === 1;
}

/** What of the device is free, now: a few files of the kernel, and two questions to file systems. Nothing is written. */
export async function readSignals(dataDir: string, engineDir: string | undefined): Promise<Readings> {
  const [nodefs, imagefs] = await Promise.all([
    ofDisk(dataDir),
    engineDir === undefined ? undefined : ofDisk(engineDir),
  ]);
  const [memory, pid] = [memoryOf(text('/proc/meminfo')), processes()];
  return {
    ...(memory && { 'memory.available': memory }),
    ...(nodefs && { 'nodefs.available': nodefs.bytes }),
    ...(nodefs?.inodes && { 'nodefs.inodesFree': nodefs.inodes }),
    ...(imagefs && { 'imagefs.available': imagefs.bytes }),
    ...(imagefs?.inodes && { 'imagefs.inodesFree': imagefs.inodes }),
    ...(pid && { 'pid.available': pid }),
  };
}

/** Of `/proc/meminfo`. */
export function memoryOf(meminfo: string): Reading | undefined {
  const bytes = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1]) * KI;
  return readingOf(bytes('MemAvailable'), bytes('MemTotal'));
}

/** Of `/proc/loadavg`, which tells how many there are, and how many the kernel takes. */
export function processesOf(loadavg: string, most: readonly string[]): Reading | undefined {
  const running = Number(/^\S+ \S+ \S+ \d+\/(\d+) /.exec(loadavg)?.[1]);
  const capacity = Math.min(...most.map(Number));
  return readingOf(Math.max(0, capacity - running), capacity);
}

function processes(): Reading | undefined {
  return processesOf(text('/proc/loadavg'), [
    text('/proc/sys/kernel/pid_max'),
    text('/proc/sys/kernel/threads-max'),
  ]);
}

async function ofDisk(path: string) {
  const found = await statfs(path).catch(() => undefined);
  const bytes = found && readingOf(found.bavail * found.bsize, found.blocks * found.bsize);
  if (!bytes) return undefined;
  // Some file systems make inodes as they need them, and say that they have none.
  return { bytes, inodes: readingOf(found.ffree, found.files) };
}

function readingOf(available: number, capacity: number): Reading | undefined {
  return Number.isFinite(available) && capacity > 0 ? { available, capacity } : undefined;
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
