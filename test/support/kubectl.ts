import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { type KubectlVersion, kubectlPath } from '../../scripts/kubectl.ts';

const TIMEOUT_MS = 90_000;

export interface Outcome {
  readonly out: string;
  readonly err: string;
  /** -1 when it did not end by itself. */
  readonly code: number;
}

export interface RunOptions {
  /** What it reads. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A command line as words; what stands between single quotes is one. */
export function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''));
}

/** A real kubectl of one version, for one cluster and namespace. */
export class Kubectl {
  readonly program: string;
  readonly flags: readonly string[];

  constructor(program: string, flags: readonly string[]) {
    this.program = program;
    this.flags = flags;
  }

  static async of(
    version: KubectlVersion,
    kubeconfig: string,
    directory: string,
    namespace: string,
  ): Promise<Kubectl> {
    const cache = join(directory, `cache-${version}`);
    const flags = ['--kubeconfig', kubeconfig, '--cache-dir', cache, '--namespace', namespace];
    return new Kubectl(await kubectlPath(version), flags);
  }

  /** All that a line needs to be started by somebody else. */
  args(line: string): string[] {
    return [...this.flags, ...words(line)];
  }

  run(line: string, { input, env }: RunOptions = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      const options = { env: { ...process.env, ...env }, timeout: TIMEOUT_MS };
      const child = execFile(this.program, this.args(line), options, (error, out, err) =>
        resolve({ out, err, code: typeof error?.code === 'number' ? error.code : error ? -1 : 0 }),
      );
      child.stdin?.end(input);
    });
  }
}
