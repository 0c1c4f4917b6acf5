/* Paths with `*`, `?` and `[0-9]`, as a shell has them. Pure. */

export function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

/** What fits one of a path's parts. */
export function patternOf(part: string): RegExp {
  const text = part.replace(/\[!?[^\]]+\]|[\s\S]/g, (each) => {
    if (each === '*') return '[^/]*';
    if (each === '?') return '[^/]';
    if (each.length > 1) return each.replace(/^\[!/, '[^').replaceAll('\\', '\\\\');
    return each.replace(/[\\^$.*+?()[\]{}|]/, '\\$&');
  });
  return new RegExp(`^${text}$`);
}

/** Whether the path is what the pattern names, or below it. */
export function isWithin(path: string, pattern: string): boolean {
  const [parts, wanted] = [path, pattern].map((each) => each.split('/').filter(Boolean));
  return (wanted ?? []).every((part, index) => patternOf(part).test(parts?.[index] ?? ''));
}
