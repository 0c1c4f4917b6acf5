import { RE2JS } from 're2js';

/** A regular expression as Kubernetes reads them. */
export interface Pattern {
  /** Whether any part of the text matches. */
  test(text: string): boolean;
  /** The first `most` matches, from left to right. */
  findAll(text: string, most: number): string[];
}

/** Compiled ones: definitions share most of their patterns. */
const known = new Map<string, Pattern>();
const MOST_KNOWN = 4096;

/**
 * Compiles a regular expression in Go's syntax (RE2). It has no back-references and no look-around, and takes time in
 * proportion to the text, so that no pattern that somebody defines can keep the hub busy. Throws an Error in Go's words.
 */
export function patternOf(source: string): Pattern {
  const compiled = known.get(source);
  if (compiled) return compiled;
  const expression = RE2JS.compile(source);
  const pattern: Pattern = {
    test: (text) => expression.matcher(text).find(),
    findAll: (text, most) => {
      const matcher = expression.matcher(text);
      const found: string[] = [];
      while (found.length < most && matcher.find()) found.push(matcher.group() ?? '');
      return found;
    },
  };
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(source, pattern);
  return pattern;
}

/** What is wrong with a regular expression, in Go's words; undefined when nothing is. */
export function patternError(source: string): string | undefined {
  try {
    patternOf(source);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
