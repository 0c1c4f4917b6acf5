import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { writeDurably } from '../state/write-durably.ts';
import { aboutPackage, folderOf, type Installation, isSlot, SLOTS, type Slot } from './installation.ts';

/*
 * What is remembered of the slots, in files that the launcher reads as well (scripts/package/launcher.ts): `current` is the
 * slot that runs, with the version of the base at that time; `trial` is a folder while a version is tried. Each is whole or
 * not there, whenever the power goes.
 */

/** A version that is tried. */
export interface Trial {
  readonly slot: Slot;
  /** The request that it is about, as the annotation has it. */
  readonly request: string;
  /** The version that it is to take the place of. */
  readonly from: string;
  /** Before that, the device was connected to its hub: then the version must be as well. */
  readonly hadContact: boolean;
  /** … and its container engine answered. */
  readonly hadEngine: boolean;
  /** How long each start of it may take to prove itself. */
  readonly seconds: number;
  /** How long it must do well where it does without the hub. */
  readonly minHealthySeconds: number;
}

/** How a trial went, by what its starts left behind. */
export interface TrialOutcome extends Trial {
  /** How often the launcher has begun it. */
  readonly starts: number;
  /** One word, of whoever ended it; undefined when nobody did. */
  readonly failed: string | undefined;
}

const LEFT_BEHIND = /^(state-copy|[ab]\.(new-\d+|old)|trial\.(new|old))$/;

export class Slots {
  readonly #installation: Installation;

  constructor(installation: Installation) {
    this.#installation = installation;
  }

  /** The slot that holds a version, whole; undefined when none does. */
  holding(version: string): Slot | undefined {
    return SLOTS.find((slot) => aboutPackage(folderOf(this.#installation, slot))?.version === version);
  }

  /** Where another version may be put: neither what runs is there, nor what runs at the next start. */
  get free(): 'a' | 'b' {
    const taken = [this.#installation.slot, this.#current];
    return taken.includes('a') ? 'b' : 'a';
  }

  get #current(): Slot {
    const [slot] = textOf(this.#at('current')).split(' ');
    return isSlot(slot) ? slot : 'base';
  }

  /** From the next start on this slot runs. Durable when it returns. */
  makeCurrent(slot: Slot): void {
    const base = aboutPackage(this.#installation.base)?.version ?? '';
    writeDurably(this.#at('current'), Buffer.from(`${slot} ${base}\n`));
  }

  isCurrent(slot: Slot): boolean {
    return this.#current === slot;
  }

  get trial(): TrialOutcome | undefined {
    try {
      const trial = JSON.parse(readFileSync(this.#at('trial/about.json'), 'utf8')) as Trial;
      const starts = textOf(this.#at('trial/starts')).split('\n').length - 1;
      return { ...trial, starts, failed: textOf(this.#at('trial/failed')).trim() || undefined };
    } catch {
      return undefined;
    }
  }

  /** The next start is one of this version. Durable when it returns; throws when it cannot be made so. */
  beginTrial(trial: Trial): void {
    const aside = this.#at('trial.new');
    rmSync(aside, { recursive: true, force: true });
    mkdirSync(aside, { recursive: true, mode: 0o700 });
    writeDurably(join(aside, 'about.json'), Buffer.from(JSON.stringify(trial)));
    writeDurably(join(aside, 'seconds'), Buffer.from(`${trial.seconds}\n`));
    writeDurably(join(aside, 'slot'), Buffer.from(`${trial.slot}\n`));
    this.endTrial();
    moveDurably(aside, this.#at('trial'));
  }

  /** The launcher begins it no more. */
  failTrial(reason: string): void {
    writeDurably(this.#at('trial/failed'), Buffer.from(`${reason}\n`));
  }

  /** It is over, and what came of it is remembered elsewhere. */
  endTrial(): void {
    if (!existsSync(this.#at('trial'))) return;
    const aside = this.#at('trial.old');
    rmSync(aside, { recursive: true, force: true });
    moveDurably(this.#at('trial'), aside);
    rmSync(aside, { recursive: true, force: true });
  }

  /** What processes left that were ended in the middle; with `downloads`, also what they fetched. */
  removeLeftovers(downloads: boolean): void {
    const { slots } = this.#installation;
    if (!existsSync(slots)) return;
    const isLeft = (name: string) => LEFT_BEHIND.test(name) || (downloads && name === 'download');
    for (const name of readdirSync(slots).filter(isLeft))
      rmSync(this.#at(name), { recursive: true, force: true, maxRetries: 3 });
  }

  #at(name: string): string {
    return join(this.#installation.slots, name);
  }
}

/** It is there as a whole, or not yet, also when the power goes. */
export function moveDurably(from: string, to: string): void {
  renameSync(from, to);
  syncFile(dirname(to));
}

/** On the disk when it returns; a folder as well. */
export function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Empty where there is none. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
