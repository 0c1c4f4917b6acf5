/**
 * Sets of completion indexes, as `status.completedIndexes` has them: ranges in order that do not touch. However many
 * indexes a Job has, they cost what their ranges cost.
 */
export type IndexRanges = readonly (readonly [first: number, last: number])[];

/** `1,3-5,7`; what is no such text is no index. */
export function parseRanges(text: string | undefined): IndexRanges {
  if (!text) return [];
  return merged(
    text.split(',').flatMap((part) => {
      const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
      return first === undefined ? [] : [[Number(first), Number(last)] as const];
    }),
  );
}

/** Kubernetes writes two neighbours as `3,4`, more as `3-5`. */
export function formatRanges(ranges: IndexRanges): string {
  return ranges
    .map(([first, last]) => (first === last ? `${first}` : `${first}${last - first > 1 ? '-' : ','}${last}`))
    .join(',');
}

export function withIndexes(ranges: IndexRanges, indexes: Iterable<number>): IndexRanges {
  return merged([...ranges, ...[...indexes].map((index) => [index, index] as const)]);
}

export function union(a: IndexRanges, b: IndexRanges): IndexRanges {
  return merged([...a, ...b]);
}

/** Those below `end`: an indexed Job can shrink. */
export function below(ranges: IndexRanges, end: number): IndexRanges {
  return ranges
    .filter(([first]) => first < end)
    .map(([first, last]) => [first, Math.min(last, end - 1)] as const);
}

export function intersection(a: IndexRanges, b: IndexRanges): IndexRanges {
  return a.flatMap(([first, last]) =>
    b
      .filter(([otherFirst, otherLast]) => otherFirst <= last && otherLast >= first)
      .map(([otherFirst, otherLast]) => [Math.max(first, otherFirst), Math.min(last, otherLast)] as const),
  );
}

export function sizeOf(ranges: IndexRanges): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

export function hasIndex(ranges: IndexRanges, index: number): boolean {
  return ranges.some(([first, last]) => first <= index && index <= last);
}

/** The first `count` indexes below `end` that are in none of the ranges. */
export function firstMissing(ranges: IndexRanges, end: number, count: number): number[] {
  const missing: number[] = [];
  let next = 0;
  for (const [first, last] of [...ranges, [end, end] as const]) {
    for (; next < Math.min(first, end) && missing.length < count; next += 1) missing.push(next);
    next = Math.max(next, last + 1);
  }
  return missing;
}

function merged(ranges: IndexRanges): IndexRanges {
  const result: [number, number][] = [];
  for (const [first, last] of ranges.toSorted(([a], [b]) => a - b)) {
    const before = result.at(-1);
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else result.push([first, last]);
  }
  return result;
}
