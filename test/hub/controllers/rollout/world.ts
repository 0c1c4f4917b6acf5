import type { Device, PodStep } from '../../../../hub/controllers/rollout/device-plan.ts';
import { podStep } from '../../../../hub/controllers/rollout/device-plan.ts';
import type { RolloutPlan } from '../../../../hub/controllers/rollout/rollout-draft.ts';
import { planRollout } from '../../../../hub/controllers/rollout/rollout-plan.ts';
import type { DeviceUpdateSpec, Step } from '../../../../hub/fleet/device-update.ts';
import type { RolloutAction, RolloutSpec, RolloutStatus } from '../../../../hub/fleet/rollout.ts';
import { type RolloutPolicySpec, rolloutPolicies } from '../../../../hub/fleet/rollout-policy.ts';
import type { KubeObject } from '../../../../hub/resources/object.ts';
import type { PodObject } from '../../../../hub/resources/typed.ts';
import {
  ACCEPTED_CONDITION,
  encodePodUpdate,
  POD_UPDATE_ANNOTATION,
  podUpdateOf,
  STAGED_CONDITION,
} from '../../../../proto/pod-update.ts';

/** What a device does with what it is given. */
export interface Behaviour {
  /** `silent`: takes it up and is never heard of again. `stuck`: takes it up and does not decide. */
  readonly takes:
    | 'waits'
    | 'withholds'
    | 'disk-full'
    | 'accepts'
    | 'rejects'
    | 'stuck'
    | 'silent'
    | 'cannot-download';
}

interface SimulatedDevice {
  readonly node: string;
  labels: Record<string, string>;
  isOnline: boolean;
  changedMs: number;
  behaviour: Behaviour;
  old: PodObject | undefined;
  next: PodObject | undefined;
  row: DeviceUpdateSpec | undefined;
  /** How often it was told to switch. */
  switches: number;
}

export function policyOf(spec: object): RolloutPolicySpec {
  const object = { metadata: { name: 'p' }, spec: structuredClone(spec) } as unknown as KubeObject;
  rolloutPolicies.setDefaults?.(object);
  return object.spec as RolloutPolicySpec;
}

/** A rollout and its devices without a hub: the plan's words are carried out at once, and the devices react. */
export class World {
  nowMs = Date.parse('2026-01-01T00:00:00Z');
  status: RolloutStatus = {};
  plan: RolloutPlan | undefined;
  readonly devices: SimulatedDevice[];
  readonly spec: RolloutSpec & { actions: RolloutAction[] };

  constructor(count: number, policy: object, more: Partial<RolloutSpec> = {}) {
    this.spec = {
      workload: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'app' },
      policyName: 'p',
      policy: policyOf(policy),
      from: { number: 1, hash: 'one' },
      to: { number: 2, hash: 'two' },
      type: 'change',
      ...more,
      actions: [],
    };
    this.devices = Array.from({ length: count }, (_, index) => ({
      node: `node-${String(index).padStart(3, '0')}`,
      labels: { site: `site-${index % 4}` },
      isOnline: true,
      changedMs: this.nowMs,
      behaviour: { takes: 'accepts' },
      old: podOf('old', {}),
      next: undefined,
      row: undefined,
      switches: 0,
    }));
  }

  /** Asks the first wave, whose devices then behave like this; who follows behaves like the second. */
  canary(...takes: Behaviour['takes'][]): SimulatedDevice[] {
    for (const device of this.devices) device.behaviour = { takes: 'stuck' };
    this.pass();
    for (const device of this.devices) device.behaviour = { takes: takes[1] ?? 'accepts' };
    const asked = this.devices.filter(({ row }) => row?.step === 'Applying');
    for (const [index, device] of asked.entries())
      device.behaviour = { takes: takes[index] ?? takes[1] ?? 'accepts' };
    return asked;
  }

  goDark(...devices: SimulatedDevice[]): void {
    for (const device of devices) Object.assign(device, { isOnline: false, changedMs: this.nowMs });
  }

  comeBack(...devices: SimulatedDevice[]): void {
    for (const device of devices) Object.assign(device, { isOnline: true, changedMs: this.nowMs });
  }

  act(type: RolloutAction['type'], more: Partial<RolloutAction> = {}): void {
    this.spec.actions.push({ type, by: 'ann', at: new Date(this.nowMs).toISOString(), ...more });
  }

  /** Runs passes until nothing changes any more; then, with `forMs`, lets time go by as the plan asks to be woken. */
  settle(forMs = 0): void {
    const untilMs = this.nowMs + forMs;
    for (let pass = 0; pass < 10_000; pass += 1) {
      if (this.pass()) continue;
      const wake = this.plan?.wakeInMs;
      if (wake === undefined || this.nowMs + wake > untilMs) break;
      this.nowMs += wake;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
    while (this.pass());
  }

  /** One pass of the engine, and what the devices make of it. Returns whether anything changed. */
  pass(): boolean {
    const before = this.#state();
    this.plan = planRollout({
      name: 'app-2',
      workload: 'app',
      spec: this.spec,
      status: this.status,
      devices: this.devices.map((device) => this.#seen(device)),
      nowMs: this.nowMs,
    });
    this.status = this.plan.status;
    for (const tracked of this.plan.devices) {
      const device = this.devices.find(({ node }) => node === tracked.node) as SimulatedDevice;
      device.row = tracked.row;
      carryOut(device, podStep(tracked, { spec: this.spec }), this.spec.policy);
    }
    for (const device of this.devices) if (device.isOnline) react(device, this.nowMs);
    return before !== this.#state();
  }

  /** How many devices are at each step. */
  steps(): Partial<Record<Step, number>> {
    const counts: Partial<Record<Step, number>> = {};
    for (const { row } of this.devices) if (row) counts[row.step] = (counts[row.step] ?? 0) + 1;
    return counts;
  }

  inWave(name: string): SimulatedDevice[] {
    return this.devices.filter(({ row }) => row?.wave === name);
  }

  get touched(): number {
    return this.devices.filter(({ switches }) => switches > 0).length;
  }

  get reasons(): string[] {
    return (this.status.transitions ?? []).map(({ reason }) => reason);
  }

  #seen({ node, labels, isOnline, changedMs, old, next, row }: SimulatedDevice): Device {
    return {
      node,
      labels,
      isOnline,
      steadyMs: this.nowMs - changedMs,
      old: old ? [old] : [],
      next: next ? [next] : [],
      row,
    };
  }

  #state(): string {
    return JSON.stringify([this.status, this.devices]);
  }
}

function podOf(name: string, annotations: Record<string, string>): PodObject {
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', annotations },
    spec: { containers: [] },
    status: { phase: 'Running', conditions },
  } as unknown as PodObject;
}

function carryOut(device: SimulatedDevice, step: PodStep, { device: { order } }: RolloutPolicySpec): void {
  if (step.type === 'confirm') device.old = undefined;
  if (step.type === 'withdraw') device.next = undefined;
  if (step.type !== 'offer') return;
  const update = { order, minHealthySeconds: 1, maxRestarts: 0, deadlineSeconds: 60, rollback: true };
  const annotation = encodePodUpdate({ ...update, step: step.step });
  const conditions = device.next?.status?.conditions ?? [];
  device.next = podOf('next', { [POD_UPDATE_ANNOTATION]: annotation });
  device.next.status = { ...device.next.status, conditions };
}

function react(device: SimulatedDevice, nowMs: number): void {
  const { next, behaviour } = device;
  const update = next && podUpdateOf(next);
  if (!next || !update) return;
  if (behaviour.takes === 'cannot-download') {
    say(next, STAGED_CONDITION, 'False', 'ErrImagePull', 'no such image');
    return;
  }
  if (behaviour.takes === 'disk-full') {
    say(next, STAGED_CONDITION, 'False', 'InsufficientDisk', '1 MiB free');
    if (update.step === 'apply') say(next, ACCEPTED_CONDITION, 'Unknown', 'Trying');
    return;
  }
  say(next, STAGED_CONDITION, 'True', 'Downloaded');
  if (update.step === 'apply') decide(device, next, nowMs);
}

function decide(device: SimulatedDevice, next: PodObject, nowMs: number): void {
  const isFirst = !next.status?.conditions?.some(({ type }) => type === ACCEPTED_CONDITION);
  if (isFirst) device.switches += 1;
  const { takes } = device.behaviour;
  if (takes === 'accepts') say(next, ACCEPTED_CONDITION, 'True', 'Healthy');
  else if (takes === 'rejects')
    say(next, ACCEPTED_CONDITION, 'False', 'Restarts', 'its container restarted 3 times');
  else say(next, ACCEPTED_CONDITION, 'Unknown', WAITS[takes] ?? 'Trying');
  if (takes !== 'silent') return;
  device.isOnline = false;
  device.changedMs = nowMs;
}

const WAITS: Readonly<Record<string, string>> = { waits: 'WaitingForWindow', withholds: 'WaitingForConsent' };

function say(pod: PodObject, type: string, status: string, reason: string, message = ''): void {
  const others = (pod.status?.conditions ?? []).filter((each) => each.type !== type);
  pod.status = { ...pod.status, conditions: [...others, { type, status, reason, message }] };
}
