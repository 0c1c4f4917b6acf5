/** What something has used and holds, at one moment. */
export interface Sample {
  /** Milliseconds on a clock that only goes forward. */
  readonly atMs: number;
  /** Since some fixed time. */
  readonly cpuNanoseconds: number;
  readonly workingSetBytes: number;
}

/** What something uses: CPU on average over the window, memory at its end. */
export interface Usage {
  readonly cpuNanocores: number;
  readonly windowMs: number;
  readonly workingSetBytes: number;
}

/** Undefined for samples that do not follow each other: a counter that began anew. */
export function usageBetween(before: Sample, after: Sample): Usage | undefined {
  const windowMs = after.atMs - before.atMs;
  const used = after.cpuNanoseconds - before.cpuNanoseconds;
  if (windowMs < 1 || used < 0) return undefined;
  return {
    cpuNanocores: Math.round((used / windowMs) * 1000),
    windowMs: Math.round(windowMs),
    workingSetBytes: after.workingSetBytes,
  };
}
