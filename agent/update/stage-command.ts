import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { INSUFFICIENT_DISK } from '../../proto/pod-update.ts';
import { type StagingOrder, stageRelease } from './stage.ts';
import { StagingFailure } from './staging-failure.ts';

/** What the process says on its standard output, as JSON: nothing when all went well. */
export interface StagingAnswer {
  readonly reason: string;
  readonly message: string;
  readonly isFinal: boolean;
}

/**
 * In a process that ends: what it loads does not stay in the agent's memory. Takes the order from the first line of its standard
 * input, and ends when that ends: whoever gave the order has.
 */
export async function stageCommand(): Promise<void> {
  process.stdin.once('end', () => process.exit(1)).once('error', () => process.exit(1));
  const [line] = (await once(createInterface({ input: process.stdin }), 'line')) as [string];
  const order = JSON.parse(line) as StagingOrder;
  try {
    mkdirSync(order.installation.slots, { recursive: true, mode: 0o700 });
    await stageRelease(order);
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    const known = error instanceof StagingFailure ? error : undefined;
    const answer: StagingAnswer = {
      reason: known?.reason ?? (code === 'ENOSPC' ? INSUFFICIENT_DISK : 'StagingFailed'),
      message: known?.message ?? `the update could not be prepared on this device: ${message}`,
      isFinal: known?.isFinal ?? false,
    };
    process.stdout.write(JSON.stringify(answer));
  } finally {
    process.stdin.destroy();
  }
}
