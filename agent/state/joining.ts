import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from './write-durably.ts';

/** What a device that is about to join must not forget: with these keys it is known again after it was cut off. */
export interface Joining {
  readonly node: string;
  /** SHA-256 of the hub's CA: to another hub it is another device. */
  readonly caHash: string;
  readonly hub: string;
  /** PEM: as in Identity. */
  readonly key: string;
  readonly sealingKey: string;
  /** While somebody has to approve it. */
  readonly waits?: { readonly request: string; readonly since: string };
}

const fileOf = (dir: string) => join(dir, 'joining.json');

/** Undefined when it is not joining. */
export function readJoining(dir: string): Joining | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(dir), 'utf8')) as Joining;
  } catch {
    return undefined; // none, or one that a crash left half: new keys are made
  }
}

export function saveJoining(dir: string, joining: Joining): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeDurably(fileOf(dir), Buffer.from(JSON.stringify(joining)));
}

export function forgetJoining(dir: string): void {
  rmSync(fileOf(dir), { force: true });
}
