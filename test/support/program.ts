import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { AGENT, bundle, HUB } from '../../scripts/bundle.ts';

await bundle();
/** What users run, where there is such a thing; it also starts in half the time. */
const BUNDLES: Readonly<Record<string, string>> = { 'agent/main.ts': AGENT, 'hub/main.ts': HUB };

/** A real program of ours, in a process of its own. `file` is its source. */
export class Program {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  #waiting: (() => void)[] = [];

  constructor(
    file: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    nodeFlags: readonly string[] = [],
  ) {
    const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
    // Without tap's own loaders, which it hands down to whatever its tests start.
    const node = [
      '-u',
      'NODE_OPTIONS',
      process.execPath,
      '--disable-warning=DEP0169',
      '--disable-warning=DEP0123',
      ...nodeFlags,
    ];
    this.#child = spawn('env', [...node, BUNDLES[file] ?? file, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...inherited, ...env },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        this.#wake();
      });
    }
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code) => {
        resolve(code);
        this.#wake();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The first line that matches, now or later. Rejects, with what the program said, when it ends before. */
  async line(pattern: RegExp, from = 0): Promise<string> {
    for (;;) {
      const found = this.lines.slice(from).find((line) => pattern.test(line));
      if (found !== undefined) return found;
      if (!this.running)
        throw new Error(`the program ended before it said ${pattern}:\n${this.lines.join('\n')}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Sends a signal and waits for the end. Resolves with the exit code. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.running) this.#child.kill(signal);
    return this.#exited;
  }

  /** Waits for the end. */
  exit(): Promise<number | null> {
    return this.#exited;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
