import type { ContainerStats } from './runtime.ts';

/** What of the engine's answer is read. Of a container that does not run, it has no memory. */
export interface DockerStats {
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } };
  readonly memory_stats?: { readonly usage?: number; readonly stats?: Readonly<Record<string, number>> };
  readonly pids_stats?: { readonly current?: number };
}

/** As the kubelet counts: files that are cached and not in use are no part of the working set. Undefined when it does not run. */
export function statsOf({
  cpu_stats: cpu,
  memory_stats: memory,
  pids_stats: pids,
}: DockerStats): ContainerStats | undefined {
  const cpuNanoseconds = cpu?.cpu_usage?.total_usage;
  if (cpuNanoseconds === undefined || memory?.usage === undefined) return undefined;
  // The first is the name in version 1 of control groups, where the second leaves out what is below the container.
  const unused = memory.stats?.['total_inactive_file'] ?? memory.stats?.['inactive_file'] ?? 0;
  return {
    cpuNanoseconds,
    workingSetBytes: Math.max(0, memory.usage - unused),
    processes: pids?.current ?? 0,
  };
}
