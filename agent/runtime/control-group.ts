import { readFile } from 'node:fs/promises';

const TREES = '/sys/fs/cgroup';
/** In each version of control groups: which tree counts memory, and the line of its `memory.stat`. */
const VERSIONS = [
  { tree: 'memory', folder: `${TREES}/memory`, line: /^total_inactive_file (\d+)$/m },
  { tree: '', folder: TREES, line: /^inactive_file (\d+)$/m },
] as const;

/** Of the control group of a process: files in memory that nobody uses. Undefined where that cannot be seen. */
export async function unusedFileBytes(pid: number): Promise<number | undefined> {
  const groups = pid > 0 ? await textOf(`/proc/${pid}/cgroup`) : undefined;
  for (const { tree, folder, line } of groups === undefined ? [] : VERSIONS) {
    const path = groupOf(groups ?? '', tree);
    const found = path && line.exec((await textOf(`${folder}${path}/memory.stat`)) ?? '');
    if (found) return Number(found[1]);
  }
  return undefined;
}

/** The path behind `4:memory:`, or behind `0::`, which is version 2's. Pure. */
export function groupOf(groups: string, tree: string): string | undefined {
  const lines = groups.split('\n').map((line) => line.split(':'));
  return lines
    .find(([, trees = '-']) => trees.split(',').includes(tree))
    ?.slice(2)
    .join(':');
}

function textOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
