import { mkdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { type StagingOrder, stageRelease } from './stage.ts';
import { StagingFailure } from './staging-failure.ts';

/** What the process says on its standard output, as JSON: nothing when all went well. */
export interface StagingAnswer {
  readonly reason: string;
  readonly message: string;
  readonly isFinal: boolean;
}

/** In a process that ends: what it loads does not stay in the agent's memory. Takes the order from standard input. Whoever gave it may end, and then this ends as well. */
export async function stageCommand(): Promise<void> {
  const order = JSON.parse(await text(process.stdin)) as StagingOrder;
  const asked = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid !== asked) process.exit(1);
  }, 500);
  try {
    mkdirSync(order.installation.slots, { recursive: true, mode: 0o700 });
    await stageRelease(order);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    const known = error instanceof StagingFailure ? error : undefined;
    const answer: StagingAnswer = {
      reason: known?.reason ?? (code === 'ENOSPC' ? 'InsufficientDisk' : 'StagingFailed'),
      message: known?.message ?? `the update could not be prepared on this device: ${message}`,
      isFinal: known?.isFinal ?? false,
    };
    process.stdout.write(JSON.stringify(answer));
  } finally {
    clearInterval(watch);
  }
}
