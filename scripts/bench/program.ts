import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const TICKS_PER_SECOND = 100;
const KIB_PER_MIB = 1024;

export interface Memory {
  readonly rssMib: number;
  readonly anonymousMib: number;
}

interface Line {
  readonly text: string;
  readonly atMs: number;
}

/** A program of Node.js in a process of its own, and what the kernel says of it. */
export class Program {
  readonly startedAtMs = performance.now();
  readonly #child: ChildProcess;
  readonly #exited: Promise<number>;
  readonly #lines: Line[] = [];
  #waiting: (() => void)[] = [];
  #hasExited = false;

  constructor(args: readonly string[], variables: Readonly<Record<string, string>> = {}) {
    const { NODE_EXTRA_CA_CERTS: _, ...inherited } = process.env;
    this.#child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...inherited, ...variables },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (text) => this.#heard(text));
    }
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', () => {
        const atMs = performance.now();
        this.#hasExited = true;
        this.#wake();
        resolve(atMs);
      });
    });
  }

  /** All that it has said. */
  get said(): string {
    return this.#lines.map(({ text }) => text).join('\n');
  }

  /** The first line that contains the text, and when it was heard. Rejects when the program ends before. */
  async line(text: string): Promise<Line> {
    for (;;) {
      const found = this.#lines.find((line) => line.text.includes(text));
      if (found) return found;
      if (this.#hasExited) throw new Error(`a program ended before it said "${text}":\n${this.said}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves with when it has ended. */
  exit(): Promise<number> {
    return this.#exited;
  }

  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.#hasExited) this.#child.kill(signal);
    await this.#exited;
  }

  memory(): Memory {
    const rollup = this.#proc('smaps_rollup');
    const mib = (field: string) =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) / KIB_PER_MIB;
    return { rssMib: mib('Rss'), anonymousMib: mib('Anonymous') };
  }

  get pid(): number {
    return this.#child.pid ?? Number.NaN;
  }

  /** What it has caused to be written to disks, as the kernel counts it: proc(5), `write_bytes`. */
  writtenBytes(): number {
    return Number(/^write_bytes: (\d+)$/m.exec(this.#proc('io'))?.[1]);
  }

  /** Seconds of processor that all its threads have used. */
  cpuSeconds(): number {
    const stat = this.#proc('stat');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may contain anything
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  #proc(file: string): string {
    return readFileSync(`/proc/${this.#child.pid}/${file}`, 'utf8');
  }

  #heard(text: string): void {
    this.#lines.push({ text, atMs: performance.now() });
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
