import type { Settings } from './settings.ts';

/** What another reading of the settings changes, by name. */
export interface Changes<Name extends string = string> {
  /** Those that a running program takes over. */
  readonly reloaded: readonly Name[];
  /** Those that it goes on without until it is started anew. */
  readonly needRestart: readonly Name[];
}

/** Pure. */
export function changesOf<Name extends string>(
  settings: Settings<Name>,
  before: Readonly<Record<Name, string | undefined>>,
  after: Readonly<Record<Name, string | undefined>>,
): Changes<Name> {
  const changed = (Object.keys(settings) as Name[]).filter((name) => before[name] !== after[name]);
  return {
    reloaded: changed.filter((name) => settings[name].reloads),
    needRestart: changed.filter((name) => !settings[name].reloads),
  };
}
