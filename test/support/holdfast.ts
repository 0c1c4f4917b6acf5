import { execFile } from 'node:child_process';
import type { Outcome } from './kubectl.ts';
import { words } from './kubectl.ts';

const TIMEOUT_MS = 90_000;

/** The operator's commands, each as a process of its own from the sources, for one kubeconfig. */
export class Holdfast {
  readonly #kubeconfig: string;

  constructor(kubeconfig: string) {
    this.#kubeconfig = kubeconfig;
  }

  run(line: string, input?: string): Promise<Outcome> {
    const { NODE_OPTIONS: _, NODE_EXTRA_CA_CERTS: __, ...inherited } = process.env;
    const options = { env: { ...inherited, KUBECONFIG: this.#kubeconfig }, timeout: TIMEOUT_MS };
    return new Promise((resolve) => {
      const child = execFile(process.execPath, ['hub/main.ts', ...words(line)], options, (error, out, err) =>
        resolve({ out, err, code: typeof error?.code === 'number' ? error.code : error ? -1 : 0 }),
      );
      child.stdin?.end(input);
    });
  }
}
