import { constants, type FileHandle, open } from 'node:fs/promises';

const LOG = '/dev/kmsg';
const MOST_RECORD_BYTES = 8192;

/**
 * Whether the kernel says that it has ended a process of the container for want of memory. It says so before the process
 * is gone, and keeps it until newer messages need the room. False where its log cannot be read.
 */
export async function endedForMemory(containerId: string): Promise<boolean> {
  const log = await open(LOG, constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (!log) return false;
  try {
    for await (const record of recordsOf(log)) if (tellsOf(record, containerId)) return true;
    return false;
  } finally {
    await log.close();
  }
}

/** `…;oom-kill:constraint=CONSTRAINT_MEMCG,…,task_memcg=/libpod_parent/libpod-1a2b,task=sh,…`. Pure. */
export function tellsOf(record: string, containerId: string): boolean {
  const [, group = ''] = /;oom-kill:.*,task_memcg=([^,]*)/.exec(record) ?? [];
  return group.includes(containerId);
}

/** Those that are there: each read gives one. */
async function* recordsOf(log: FileHandle): AsyncGenerator<string> {
  const buffer = Buffer.alloc(MOST_RECORD_BYTES);
  for (;;) {
    try {
      const { bytesRead } = await log.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      yield buffer.toString('utf8', 0, bytesRead);
    } catch (error) {
      // EPIPE: it was overwritten meanwhile, and the next read goes on behind. EAGAIN: that was the last.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return;
    }
  }
}
