import type { EngineDisk } from '../runtime/runtime.ts';
import { parseQuantity } from './quantity.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Why nothing may be downloaded to the disk; undefined when it may. `wanted`: a quantity, or a percentage of the disk. */
export function roomProblem(wanted: string, { path, freeBytes, totalBytes }: EngineDisk): string | undefined {
  const share = wanted.endsWith('%') ? Number(wanted.slice(0, -1)) / 100 : undefined;
  const wantedBytes = share === undefined ? (parseQuantity(wanted) ?? 0) : share * totalBytes;
  if (freeBytes >= wantedBytes) return undefined;
  const limit = share === undefined ? formatBytes(wantedBytes) : `${formatBytes(wantedBytes)} (${wanted})`;
  return `the engine's disk "${path}" has ${formatBytes(freeBytes)} free of ${formatBytes(totalBytes)}, and must have ${limit} before a download: free space on it`;
}

function formatBytes(bytes: number): string {
  const unit = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const number = bytes / 1024 ** unit;
  return `${unit === 0 ? Math.floor(number) : number.toFixed(1)} ${UNITS[unit]}`;
}
