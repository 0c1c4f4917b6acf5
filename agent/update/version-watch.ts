import { AGENT_RELEASE_ANNOTATION } from '../../proto/agent-release.ts';
import type { OwnNode } from '../state/desired-state.ts';
import { isTrialOpen, proveStart } from './installation.ts';
import type { SelfUpdate, SelfUpdateOptions } from './self-update.ts';

export interface VersionWatchOptions extends SelfUpdateOptions {
  /** What the hub asks of this device itself, now. */
  readonly asked: () => OwnNode | undefined;
}

/** Proves that this version of the agent works, and loads what changes it when that is needed. */
export class VersionWatch {
  readonly #options: VersionWatchOptions;
  #selfUpdate: Promise<SelfUpdate> | undefined;
  #isProven = false;

  constructor(options: VersionWatchOptions) {
    this.#options = options;
  }

  /** Loaded when another version is asked for, or while this one is tried: most of the time neither is. */
  async look(): Promise<void> {
    this.#prove();
    const { installation, asked, log } = this.#options;
    const isAsked = asked()?.metadata.annotations?.[AGENT_RELEASE_ANNOTATION] !== undefined;
    if (!this.#selfUpdate && !isAsked && !(installation && isTrialOpen(installation))) return;
    this.#selfUpdate ??= this.#load();
    try {
      (await this.#selfUpdate).changed(asked());
    } catch (error) {
      log.error({ err: error }, 'what is asked of the version of this agent could not be looked at');
    }
  }

  async close(): Promise<void> {
    (await this.#selfUpdate)?.close();
  }

  async #load(): Promise<SelfUpdate> {
    const { SelfUpdate } = await import('./self-update.ts');
    const { hasEngine, hasLooked } = this.#options;
    return new SelfUpdate({ ...this.#options, hasLooked: () => hasEngine() && hasLooked() });
  }

  /** Once it does anything that it is for. */
  #prove(): void {
    const { installation, isConnected, hasLooked, node, events, log } = this.#options;
    if (this.#isProven || !installation || !(isConnected() || hasLooked())) return;
    this.#isProven = true;
    if (!proveStart(installation)) return;
    const text =
      'the version that should run ended again and again at its start: the one that was installed runs';
    log.error(text);
    const subject = { kind: 'Node', namespace: '', name: node, uid: '', fieldPath: '' };
    events.record(subject, 'Warning', 'AgentFellBack', text);
  }
}
