import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Where versions of the agent are: what somebody installed, and the two that it updates itself in. */
export const SLOTS = ['a', 'b', 'base'] as const;
export type Slot = (typeof SLOTS)[number];

/** How often the launcher begins a version: one that is tried, and one that was confirmed and then never gets to work. */
export const MOST_STARTS = { ofTrial: 3, inVain: 5 } as const;

/** How this agent was started: by the launcher of a package (`bin/holdfast-agent`), which says so. */
export interface Installation {
  /** The folder of what runs, with `bin` and `lib`. */
  readonly home: string;
  /** The folder of what somebody installed. */
  readonly base: string;
  /** The folder that holds the slots, and what is remembered of them. */
  readonly slots: string;
  readonly slot: Slot;
}

/**
 * Undefined for an agent that cannot update itself: one that runs from an image or from its sources, and one whose launcher
 * looks for slots in another place than its data directory.
 */
export function installationOf(
  env: Readonly<Record<string, string | undefined>>,
  dataDir: string,
): Installation | undefined {
  const {
    HOLDFAST_AGENT_HOME: home,
    HOLDFAST_AGENT_BASE: base,
    HOLDFAST_AGENT_SLOTS: slots,
    HOLDFAST_AGENT_SLOT: slot,
  } = env;
  if (!home || !base || slots !== join(dataDir, 'slots')) return undefined;
  return isSlot(slot) ? { home, base, slots, slot } : undefined;
}

export function isSlot(text: string | undefined): text is Slot {
  return SLOTS.some((slot) => slot === text);
}

export function folderOf({ base, slots }: Installation, slot: Slot): string {
  return slot === 'base' ? base : join(slots, slot);
}

/** Whether a version is being tried, or what came of that is not settled yet. */
export function isTrialOpen({ slots }: Installation): boolean {
  return existsSync(join(slots, 'trial'));
}

/**
 * What runs works: it was not one start too many. Answers whether the launcher had begun the version that should run so often
 * in vain that it took what somebody installed.
 */
export function proveStart({ slots, slot }: Installation): boolean {
  const file = join(slots, 'starts');
  if (!existsSync(file)) return false;
  const starts = readFileSync(file, 'utf8').split('\n').length - 1;
  rmSync(file, { force: true });
  return slot === 'base' && starts >= MOST_STARTS.inVain;
}

/** What a package says of itself. */
export interface PackageAbout {
  readonly version: string;
  readonly arch: string;
  /** The version of Node.js that it was made for. */
  readonly node: string;
}

/** Undefined where there is no package, or none that can be read. */
export function aboutPackage(folder: string): PackageAbout | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageAbout;
  } catch {
    return undefined;
  }
}
