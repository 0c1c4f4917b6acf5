/** What `holdfast-agent` does for a first word: with the words and flags after it, and the environment. Rejects. */
export type Command = (
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
) => Promise<void>;

/** Another process has told the user already. */
export class Reported extends Error {}
