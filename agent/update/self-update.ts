import { join } from 'node:path';
import { UpdateWindows } from '../reconcile/update-windows.ts';
import type { AgentState, Identity } from '../state/agent-state.ts';
import type { OwnNode } from '../state/desired-state.ts';
import { AgentUpdates, type AgentUpdatesOptions } from './agent-updates.ts';
import { Slots } from './slots.ts';
import { TrialRun } from './trial-run.ts';

export interface SelfUpdateOptions extends Omit<AgentUpdatesOptions, 'stage' | 'closed'> {
  readonly state: AgentState;
  readonly hub: Pick<Identity, 'hub' | 'caCertificate'>;
  /** `amd64` */
  readonly arch: string;
  readonly hasLooked: () => boolean;
  /** Ms of the wall clock. */
  readonly now: () => number;
}

/** This agent as a version of itself: first it proves itself, where it is tried; then it does what the hub asks. */
export class SelfUpdate {
  readonly #updates: AgentUpdates;
  #trial: TrialRun | undefined;
  #node: OwnNode | undefined;

  constructor(options: SelfUpdateOptions) {
    const { installation } = options;
    if (installation) new Slots(installation).removeLeftovers(false);
    const windows = new UpdateWindows({ ...options, onLoaded: () => this.#updates.look() });
    this.#updates = new AgentUpdates({
      ...options,
      stage: stagingIn(options),
      closed: (update) => windows.closed(update),
    });
    this.#trial =
      installation &&
      TrialRun.of({
        ...options,
        installation,
        onConfirmed: () => {
          this.#trial = undefined;
          this.changed(this.#node);
        },
      });
  }

  /** What is asked, or what it follows from, may be otherwise than before. */
  changed(node: OwnNode | undefined): void {
    this.#node = node;
    if (this.#trial) this.#trial.changed();
    else this.#updates.take(node);
  }

  close(): void {
    this.#trial?.close();
    this.#updates.close();
  }
}

function stagingIn({ installation, hub, arch, state }: SelfUpdateOptions): AgentUpdatesOptions['stage'] {
  return async (release, signal) => {
    if (!installation) throw new Error('only what is installed can be updated');
    const source = { host: hub.hub.host, port: release.port, caCertificate: hub.caCertificate };
    const stateCopy = join(installation.slots, 'state-copy');
    const { runStaging } = await import('./run-staging.ts'); // processes are more than the rest needs
    return runStaging({ release, installation, source, arch, stateCopy }, state, signal);
  };
}
