import { readFileSync, writeFileSync } from 'node:fs';

/** As the unit of systemd has it: whoever is killed for want of memory, it is not who starts it anew. */
const AGENT_SCORE = -900;
const OWN_FILE = '/proc/self/oom_score_adj';

/** Asks the kernel to spare this process, unless whoever started it has said something about that. */
export function spareThisProcess(file = OWN_FILE): void {
  try {
    if (readFileSync(file, 'utf8').trim() === '0') writeFileSync(file, String(AGENT_SCORE));
  } catch {
    // Not root, or not allowed to: it goes on like any other.
  }
}

const CAP_SYS_RESOURCE = 24n;

/**
 * The least score that containers can have here. To go below nought takes a right that machines inside of others may lack,
 * and the engine makes no container at all then; who goes before whom is the same.
 */
export function lowestOomScore(file = '/proc/self/status'): number {
  try {
    const [, bound = '0'] = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync(file, 'utf8')) ?? [];
    return (BigInt(`0x${bound}`) >> CAP_SYS_RESOURCE) & 1n ? -1000 : 0;
  } catch {
    return 0;
  }
}
