import { readFile } from 'node:fs/promises';
import type { Sample } from './usage.ts';

/** The kernel counts in hundredths of a second, whatever its own clock. */
const NANOSECONDS_PER_TICK = 1e7;

/** What the device itself has used and holds; without `atMs`, which is the caller's. */
export async function deviceSample(): Promise<Omit<Sample, 'atMs'>> {
  const [stat, memory] = await Promise.all(
    ['/proc/stat', '/proc/meminfo'].map((file) => readFile(file, 'utf8')),
  );
  return {
    cpuNanoseconds: cpuNanosecondsOf(stat ?? ''),
    workingSetBytes: workingSetBytesOf(memory ?? ''),
  };
}

/** From `/proc/stat`: all but idle, waiting for disks, and what a hypervisor gave to others; guests count as their hosts. */
export function cpuNanosecondsOf(stat: string): number {
  const [, ...ticks] = (/^cpu +.*$/m.exec(stat)?.[0] ?? '').split(/ +/).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0] = ticks;
  return (user + nice + system + irq + softIrq) * NANOSECONDS_PER_TICK;
}

/** From `/proc/meminfo`: all that could not be given to who asks for memory now. */
export function workingSetBytesOf(memory: string): number {
  const bytes = (name: string) =>
    Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(memory)?.[1] ?? 0) * 1024;
  return Math.max(0, bytes('MemTotal') - bytes('MemAvailable'));
}
