import type { Settings } from '../settings/settings.ts';

/** What there is to be said of a program: help, completion and manual pages are made of it. */
export interface Manual {
  readonly program: string;
  readonly about: string;
  /** What the words are about that only begin commands: `rollout` → text. */
  readonly groups: Readonly<Record<string, string>>;
  readonly commands: readonly ManualCommand[];
  readonly settings: Settings;
  /** Where the settings may be written. */
  readonly file: { readonly flag: string; readonly env: string; readonly path: string };
}

export interface ManualCommand {
  /** One or two: `doctor`, `rollout status`. */
  readonly words: readonly string[];
  /** What follows: `NAME|ds/NAME`. */
  readonly arguments: string;
  readonly about: string;
  readonly flags: readonly ManualFlag[];
  /** Each as it follows the words. */
  readonly examples: readonly string[];
}

export interface ManualFlag {
  readonly name: string;
  readonly about: string;
  readonly short?: string;
  /** What its value stands for; of one that takes a few values only, those: `text|json`. */
  readonly value?: string;
}

/** What may follow some words: other words, each with what it is about. */
export function wordsAfter(
  { groups, commands }: Manual,
  path: readonly string[],
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { words, about } of commands) {
    const next = words[path.length];
    if (next === undefined || path.some((word, index) => words[index] !== word)) continue;
    found.set(next, words.length === path.length + 1 ? about : (groups[next] ?? about));
  }
  return found;
}

/** The values that a flag takes, where they are few. */
export function choicesOf({ value = '' }: ManualFlag): readonly string[] {
  return /^[a-z0-9]+(\|[a-z0-9]+)+$/.test(value) ? value.split('|') : [];
}
