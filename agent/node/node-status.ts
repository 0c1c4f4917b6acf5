import type { NodeCondition } from 'kubernetes-types/core/v1.d.ts';
import type { Logger } from 'pino';
import { pressureConditions } from '../eviction/conditions.ts';
import type { Pressure, Threshold } from '../eviction/thresholds.ts';
import type { DeviceUnit } from '../resources/device-allocation.ts';
import type { DeviceInventory } from '../resources/device-inventory.ts';
import { allocatableOf, type Reserve } from '../resources/reserve.ts';
import type { EngineInfo, Runtime } from '../runtime/runtime.ts';
import { timeText } from '../time-text.ts';
import { Clock, notBeforeMs } from './clock.ts';
import { capacityOf, nodeReport, type SlowFacts } from './facts.ts';
import { NodeImages } from './node-images.ts';

export interface NodeStatusOptions {
  readonly node: string;
  /** The device's own: the hub's word for a time that has passed. */
  readonly certificate: string;
  readonly hostIp: string;
  readonly bootId: string;
  readonly agentVersion: string;
  readonly runtime: Pick<Runtime, 'info' | 'namedImages'>;
  readonly facts: () => Promise<SlowFacts>;
  readonly reserve: Reserve;
  readonly thresholds: readonly Threshold[];
  readonly pressures: () => ReadonlySet<Pressure>;
  readonly now: () => number;
  /** What is told of it is another. */
  readonly onChange: () => void;
  readonly log: Logger;
}

/** What this device knows of itself, as its Node object is told it. */
export class NodeStatus {
  readonly images: NodeImages;
  /** What there is of devices for pods; undefined until they were looked at. */
  devices: DeviceInventory | undefined;
  readonly #options: NodeStatusOptions;
  readonly #clock: Clock;
  #engine: EngineInfo | undefined;
  #engineError: string | undefined = 'the engine has not answered yet';
  #slowFacts: SlowFacts | undefined;
  #updateConditions: readonly NodeCondition[] = [];

  constructor(options: NodeStatusOptions) {
    const { certificate, now, runtime, onChange } = options;
    this.#options = options;
    this.#clock = new Clock({ passedMs: notBeforeMs(certificate), now, onRight: onChange }); // by the hub's clock
    this.images = new NodeImages({ list: () => runtime.namedImages(), onChange });
  }

  /** Why the engine does not answer; undefined when it does. */
  get engineError(): string | undefined {
    return this.#engineError;
  }

  /** What of the device is for pods, by resource. */
  get allocatable(): Readonly<Record<string, string>> {
    const { reserve, thresholds } = this.#options;
    return allocatableOf(
      this.#capacity(({ isThere }) => isThere),
      reserve,
      thresholds,
    );
  }

  report(): ReturnType<typeof nodeReport> {
    const { node, hostIp, bootId, agentVersion, pressures } = this.#options;
    const now = timeText(this.#options.now());
    return nodeReport({
      ...{ node, hostIp, bootId, agentVersion, now },
      engine: this.#engine,
      engineError: this.#engineError,
      slow: this.#slowFacts,
      capacity: this.#capacity(() => true),
      allocatable: this.allocatable,
      images: this.images.images,
      conditions: [
        this.#clock.condition(now),
        ...this.#updateConditions,
        ...pressureConditions(pressures(), now),
      ],
    });
  }

  /** Whether the engine answers may have changed. */
  async engineChanged(error: Error | undefined): Promise<void> {
    const message = error?.message;
    if (message === this.#engineError) return;
    this.#engineError = message;
    if (!error) this.#engine = await this.#options.runtime.info().catch(() => this.#engine);
    this.#options.onChange();
  }

  /** What the agent's own version says, from now on. */
  setUpdateConditions(conditions: readonly NodeCondition[]): void {
    this.#updateConditions = conditions;
    this.#options.onChange();
  }

  /** Not before the work is done: nothing waits for these facts. */
  async gatherFacts(): Promise<void> {
    try {
      this.#slowFacts = await this.#options.facts();
      this.#options.onChange();
    } catch (error) {
      this.#options.log.warn({ err: error }, 'some facts of this device could not be found out');
    }
  }

  close(): void {
    this.images.close();
    this.#clock.close();
  }

  #capacity(counts: (unit: DeviceUnit) => boolean): Record<string, string> {
    const units = [...(this.devices?.units ?? [])];
    const devices = units.map(([name, all]) => [name, String(all.filter(counts).length)]);
    return { ...capacityOf(this.#slowFacts), ...Object.fromEntries(devices) };
  }
}
