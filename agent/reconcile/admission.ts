import { refusalUnder } from '../eviction/refusal.ts';
import type { Pressure } from '../eviction/thresholds.ts';
import type { Verdict } from '../pod/observation.ts';
import type { Pod } from '../pod/pod.ts';
import { isCritical } from '../pod/quality.ts';
import type { Allocation } from '../resources/device-allocation.ts';
import {
  asksForDevices,
  formatDevices,
  idsOf,
  NO_DEVICES,
  type PodDevices,
  readDevices,
} from '../resources/pod-devices.ts';
import { lackOfRoom } from '../resources/room.ts';
import type { DeviceGrant, ObservedContainer } from '../runtime/runtime.ts';

/** The devices that pods can have, as far as somebody has looked. */
export interface DeviceStock {
  /** Gives each container of the pod its own, of what nobody has. */
  allocate(pod: Pod, taken: ReadonlySet<string>): Allocation;
  grantsOf(resource: string, ids: readonly string[]): DeviceGrant[];
}

export interface AdmissionOptions {
  /** Resources that the device's owner gives to pods. */
  readonly resources: ReadonlySet<string>;
  /** Undefined until somebody has looked. */
  readonly stock: () => DeviceStock | undefined;
  readonly pressures: () => ReadonlySet<Pressure>;
  /** What the node has for pods, by resource. */
  readonly allocatable: () => Readonly<Record<string, string>>;
  /** All that are wanted, and those that are to end. */
  readonly pods: () => Iterable<Pod>;
  /** All of this node's. */
  readonly containers: () => readonly ObservedContainer[];
  /** Whether the pod is to run now. */
  readonly isLive: (uid: string) => boolean;
}

/**
 * Whether a pod that is to run is taken on, and with which devices. What it has is on the labels of its containers, so
 * nothing is written for it, and an agent that starts anew knows.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #devices = new Map<string, PodDevices>();
  readonly #waiting = new Map<string, string>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Those that wait for others to end. */
  get waiting(): Iterable<string> {
    return this.#waiting.keys();
  }

  /** What it waits for; undefined when it does not. */
  waitsFor(uid: string): string | undefined {
    return this.#waiting.get(uid);
  }

  /** Called before each step of a pod that is to run. Returns why it is not taken on. */
  admit(pod: Pod): Verdict | undefined {
    const { uid } = pod.metadata;
    this.#waiting.delete(uid);
    const own = this.#options.containers().filter(({ podUid }) => podUid === uid);
    const known = this.#devices.get(uid) ?? devicesOf(own);
    if (known && !this.#conflicts(uid, known)) {
      this.#devices.set(uid, known);
      return undefined;
    }
    if (own.length > 0 || known) return this.#allocate(pod);
    const refusal = refusalUnder(this.#options.pressures(), pod);
    if (refusal !== undefined) return { reason: 'Evicted', message: refusal };
    return this.#lackOfRoom(pod) ?? (this.#waiting.has(uid) ? undefined : this.#allocate(pod));
  }

  /** What the engine is asked for, for one of its containers; and the label of all of them. */
  grantsOf(uid: string, container: string): { podDevices: string; devices: DeviceGrant[] } {
    const all = this.#devices.get(uid) ?? NO_DEVICES;
    const stock = this.#options.stock();
    const own = Object.entries(all[container] ?? {});
    return {
      podDevices: formatDevices(all),
      devices: own.flatMap(([resource, ids]) => stock?.grantsOf(resource, ids) ?? []),
    };
  }

  /** It is not to run now. */
  stopWaiting(uid: string): void {
    this.#waiting.delete(uid);
  }

  forget(uid: string): void {
    this.#devices.delete(uid);
    this.#waiting.delete(uid);
  }

  /** Beside what the device's owner and the cluster can not do without, there is always room. */
  #lackOfRoom(pod: Pod): Verdict | undefined {
    if (isCritical(pod)) return undefined;
    const { uid } = pod.metadata;
    const { containers, isLive, pods, allocatable } = this.#options;
    const running = new Set(containers().flatMap(({ podUid, state }) => (state === 'running' ? podUid : [])));
    const has = (of: Pod) => this.#devices.has(of.metadata.uid) || running.has(of.metadata.uid);
    const others = [...pods()].filter((other) => other.metadata.uid !== uid && has(other));
    const live = others.filter((other) => isLive(other.metadata.uid));
    const lack = lackOfRoom(pod, live, allocatable());
    if (lack) return lack;
    const ending = others.filter((other) => !live.includes(other) && running.has(other.metadata.uid));
    if (lackOfRoom(pod, [...live, ...ending], allocatable()))
      this.#wait(uid, 'a pod that ends still has the room that it needs');
    return undefined;
  }

  #allocate(pod: Pod): Verdict | undefined {
    const { uid } = pod.metadata;
    if (!asksForDevices(pod, this.#options.resources)) {
      this.#devices.set(uid, NO_DEVICES);
      return undefined;
    }
    const stock = this.#options.stock();
    if (!stock) return this.#wait(uid, 'the devices of this node have not been looked at yet');
    const { held, ending } = this.#taken(uid);
    const found = stock.allocate(pod, new Set([...held, ...ending]));
    if ('devices' in found) {
      this.#devices.set(uid, found.devices);
      return undefined;
    }
    const isSoonFree = ending.size > 0 && 'devices' in stock.allocate(pod, held);
    if (isSoonFree) return this.#wait(uid, 'a pod that ends still has the devices that it asks for');
    return { reason: 'UnexpectedAdmissionError', message: found.lack };
  }

  #wait(uid: string, why: string): undefined {
    this.#waiting.set(uid, why);
  }

  #conflicts(uid: string, devices: PodDevices): boolean {
    const ids = idsOf(devices);
    if (ids.length === 0) return false;
    const { held, ending } = this.#taken(uid);
    return ids.some((id) => held.has(id) || ending.has(id));
  }

  /** What other pods have: those that are to run, and those that have not ended yet. */
  #taken(uid: string): { held: Set<string>; ending: Set<string> } {
    const { containers, isLive } = this.#options;
    const [held, ending] = [new Set<string>(), new Set<string>()];
    for (const [other, devices] of this.#devices)
      if (other !== uid && isLive(other)) for (const id of idsOf(devices)) held.add(id);
    for (const { podUid, podDevices, state } of containers()) {
      if (podUid === uid || podDevices === '') continue;
      const isNewer = this.#devices.has(podUid) && isLive(podUid);
      const to = isLive(podUid) && !isNewer ? held : state === 'running' ? ending : undefined;
      for (const id of idsOf(readDevices(podDevices))) if (!held.has(id)) to?.add(id);
    }
    return { held, ending };
  }
}

/** As its containers say; undefined where none of them says anything. */
function devicesOf(containers: readonly ObservedContainer[]): PodDevices | undefined {
  const newest = containers
    .filter(({ podDevices }) => podDevices !== '')
    .sort(
      (a, b) => Number(b.state === 'running') - Number(a.state === 'running') || b.attempt - a.attempt,
    )[0];
  return newest && readDevices(newest.podDevices);
}
