import type { PodUpdate, UpdateCheck, UpdateWindow } from '../../../proto/pod-update.ts';
import { nameInFleet, rowName } from '../../fleet/current-rollout.ts';
import { type DeviceUpdateSpec, deviceUpdates } from '../../fleet/device-update.ts';
import { durationMs } from '../../fleet/duration.ts';
import { FLEET_API_VERSION } from '../../fleet/fleet-kind.ts';
import type { HealthCheck } from '../../fleet/health-check.ts';
import type { RolloutObject, RolloutSpec } from '../../fleet/rollout.ts';
import type { RolloutPolicySpec, Window } from '../../fleet/rollout-policy.ts';
import type { KubeObject } from '../../resources/object.ts';
import type { PodObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import { type ControllerContext, unlessGone } from '../controller.ts';
import { controllerReference } from '../ownership.ts';
import { type Offer, type PodStep, podStep, type Tracked } from './device-plan.ts';
import { rowOf } from './devices.ts';
import { SOURCE } from './pod-changes.ts';
import type { WorkloadKind } from './workload.ts';

/** Writes of one pass: what is left follows in the next, so that a pass never holds up others for long. */
const WRITES_AT_ONCE = 500;

/**
 * Makes rows and pods what the plan says: each device's row before its pods. Returns whether all was done; what was not
 * is for the next pass.
 */
export async function carryOut(
  { registry }: ControllerContext,
  kind: WorkloadKind,
  workload: KubeObject,
  rollout: RolloutObject,
  devices: readonly Tracked[],
  leftOver: readonly PodObject[],
): Promise<boolean> {
  const writes: (() => Promise<unknown>)[] = leftOver.map(
    (pod) => () => kind.remove(registry, workload, pod),
  );
  for (const device of devices) {
    const before = rowOf(registry, kind, workload, device.node);
    const isNew = !sameJson(before?.spec, device.row);
    const step = podStep(device, rollout);
    if (!isNew && step.type === 'none') continue;
    writes.push(async () => {
      if (isNew && !(await writeRow(before, device.row))) return;
      await carryOutStep(device, step);
    });
  }
  const results = await Promise.allSettled(writes.slice(0, WRITES_AT_ONCE).map((write) => write()));
  // Not before all are settled: the next pass must see what this one wrote.
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return writes.length <= WRITES_AT_ONCE;

  async function writeRow(before: KubeObject | undefined, row: DeviceUpdateSpec): Promise<boolean> {
    const options = { fieldManager: SOURCE };
    const written = before
      ? registry.update(deviceUpdates, { ...before, spec: row }, options)
      : registry.create(deviceUpdates, newRow(kind, workload, row), options);
    return (await unlessGone(written)) !== undefined;
  }

  async function carryOutStep(device: Tracked, step: PodStep): Promise<void> {
    switch (step.type) {
      case 'none':
        return;
      case 'offer':
        await Promise.all(step.offers.map((each) => offer(device, step.step, each)));
        return;
      case 'confirm':
        await Promise.all(step.old.map((pod) => kind.remove(registry, workload, pod)));
        return;
      case 'withdraw':
        await Promise.all(step.next.map((pod) => kind.remove(registry, workload, pod)));
    }
  }

  async function offer({ node, row }: Tracked, step: PodUpdate['step'], { old, next }: Offer): Promise<void> {
    const update = updateOf(rollout.spec, step, old, row);
    await kind.offer(registry, workload, { rollout, node, next, update, retries: row.retries ?? 0 });
  }
}

/** What a device is to do, as the policy says it. */
export function updateOf(
  { policy, type }: RolloutSpec,
  step: PodUpdate['step'],
  old: PodObject | undefined,
  row: DeviceUpdateSpec,
): PodUpdate {
  const { gates, deadline, device } = policy;
  return {
    step,
    ...(old?.metadata.uid && { replaces: old.metadata.uid }),
    order: device.order,
    minHealthySeconds: durationMs(gates.health.minHealthy) / 1000,
    maxRestarts: gates.health.maxRestarts,
    // What goes back has proved itself before.
    ...(gates.health.check && type === 'change' && { check: checkOf(gates.health.check) }),
    deadlineSeconds: durationMs(deadline.perDeviceApply) / 1000,
    rollback: device.localRollback && type === 'change',
    ...(type === 'change' && reservesOf(device)),
    ...windowsOf(policy, step, row),
  };
}

/** What a change waits for on the device. What goes back heals, and waits for nobody. */
function reservesOf({ consent, minFreeDisk }: RolloutPolicySpec['device']): Partial<PodUpdate> {
  const maxDeferSeconds = durationMs(consent?.maxDefer) / 1000;
  return { ...(maxDeferSeconds > 0 && { consent: { maxDeferSeconds } }), minFreeDisk };
}

function windowsOf(
  { stage, device }: RolloutPolicySpec,
  step: PodUpdate['step'],
  row: DeviceUpdateSpec,
): Pick<PodUpdate, 'windows' | 'clockUntrusted' | 'saidAt'> {
  const windows = step === 'stage' ? stage?.windows : device.windows;
  if (!windows?.length) return {};
  const { clockUntrusted } = device;
  return { windows: windows.map(windowOf), clockUntrusted, saidAt: row.appliedAt ?? row.since };
}

function checkOf({ period, timeout, ...check }: HealthCheck): UpdateCheck {
  return { ...check, periodSeconds: durationMs(period) / 1000, timeoutSeconds: durationMs(timeout) / 1000 };
}

function windowOf({ schedule, duration, timeZone }: Window): UpdateWindow {
  const durationSeconds = durationMs(duration) / 1000;
  return { schedule, durationSeconds, ...(timeZone !== 'device' && { timeZone }) };
}

function newRow({ resource }: WorkloadKind, workload: KubeObject, row: DeviceUpdateSpec): KubeObject {
  const { namespace, name = '' } = workload.metadata;
  return {
    apiVersion: FLEET_API_VERSION,
    kind: deviceUpdates.kind,
    metadata: {
      name: rowName(nameInFleet(resource.kind, name), row.node),
      ...(namespace && { namespace }),
      ownerReferences: [{ ...controllerReference(resource, workload), blockOwnerDeletion: false }],
    },
    spec: row,
  };
}
