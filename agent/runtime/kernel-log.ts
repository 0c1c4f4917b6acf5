import { closeSync, constants, openSync, readSync } from 'node:fs';

const LOG = '/dev/kmsg';
const MOST_RECORD_BYTES = 8192;
const MARK = 'oom-kill:';

/**
 * Whether the kernel says that it has ended a process of the container for want of memory. It says so before the process
 * is gone, and keeps it until newer messages need the room. False where its log cannot be read.
 *
 * Not asynchronous: each read gives one record, of thousands, and all take 4 ms; by way of a thread each, 100 ms.
 */
export function endedForMemory(containerId: string): boolean {
  const log = openLog();
  if (log === undefined) return false;
  try {
    for (const record of recordsOf(log)) if (tellsOf(record, containerId)) return true;
    return false;
  } finally {
    closeSync(log);
  }
}

function openLog(): number | undefined {
  try {
    return openSync(LOG, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined; // not permitted, or not there
  }
}

/** `…;oom-kill:constraint=CONSTRAINT_MEMCG,…,task_memcg=/libpod_parent/libpod-1a2b,task=sh,…`. Pure. */
export function tellsOf(record: string, containerId: string): boolean {
  const [, group = ''] = /;oom-kill:.*,task_memcg=([^,]*)/.exec(record) ?? [];
  return group.includes(containerId);
}

/** Those that are there and can be of use. */
function* recordsOf(log: number): Generator<string> {
  const buffer = Buffer.alloc(MOST_RECORD_BYTES);
  for (;;) {
    try {
      const bytes = readSync(log, buffer, 0, buffer.length, null);
      if (bytes === 0) return;
      const record = buffer.subarray(0, bytes);
      if (record.includes(MARK)) yield record.toString();
    } catch (error) {
      // EPIPE: it was overwritten meanwhile, and the next read goes on behind. EAGAIN: that was the last.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return;
    }
  }
}
