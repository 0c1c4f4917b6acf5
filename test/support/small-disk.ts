import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Only root may mount. */
export const mayMount = process.getuid?.() === 0;

/** A disk of its own, in memory: one that a test can fill, or make read-only. */
export class SmallDisk {
  readonly dir: string;
  readonly #isOwn: boolean;

  /** `dir`: where it is mounted, in place of what is there; otherwise in a directory of its own. */
  constructor(sizeKiB: number, dir?: string) {
    this.#isOwn = dir === undefined;
    this.dir = dir ?? mkdtempSync(join(tmpdir(), 'hf-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k`, 'none', this.dir]);
  }

  makeReadOnly(): void {
    execFileSync('mount', ['-o', 'remount,ro', this.dir]);
  }

  remove(): void {
    execFileSync('umount', ['--lazy', this.dir]);
    if (this.#isOwn) rmdirSync(this.dir);
  }
}
