import {
  encodePodUpdate,
  POD_UPDATE_ANNOTATION,
  type PodUpdate,
  type UpdateCheck,
  type UpdateWindow,
} from '../../../proto/pod-update.ts';
import { rowName } from '../../fleet/current-rollout.ts';
import { type DeviceUpdateSpec, deviceUpdates } from '../../fleet/device-update.ts';
import { durationMs } from '../../fleet/duration.ts';
import { FLEET_API_VERSION } from '../../fleet/fleet-kind.ts';
import type { HealthCheck } from '../../fleet/health-check.ts';
import type { RolloutObject, RolloutSpec } from '../../fleet/rollout.ts';
import type { RolloutPolicySpec, Window } from '../../fleet/rollout-policy.ts';
import type { KubeObject } from '../../resources/object.ts';
import { daemonSets, pods } from '../../resources/table-of-resources.ts';
import type { DaemonSetObject, PodObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import { type ControllerContext, unlessGone } from '../controller.ts';
import { daemonPod } from '../daemon-set/daemon-pod.ts';
import { controllerReference } from '../ownership.ts';
import { changeExisting } from '../status.ts';
import { type PodStep, podStep, type Tracked } from './device-plan.ts';
import { rowOf } from './devices.ts';

export const SOURCE = 'rollout-controller';
/** Writes of one pass: what is left follows in the next, so that a pass never holds up others for long. */
const WRITES_AT_ONCE = 500;

/**
 * Makes rows and pods what the plan says: each device's row before its pods. Returns whether all was done; what was not
 * is for the next pass.
 */
export async function carryOut(
  { registry }: ControllerContext,
  set: DaemonSetObject,
  rollout: RolloutObject,
  devices: readonly Tracked[],
  leftOver: readonly PodObject[],
): Promise<boolean> {
  const writes: (() => Promise<unknown>)[] = leftOver.map((pod) => () => removePod(pod));
  for (const device of devices) {
    const before = rowOf(registry, set, device.node);
    const isNew = !sameJson(before?.spec, device.row);
    const step = podStep(device, rollout);
    if (!isNew && step.type === 'none') continue;
    writes.push(async () => {
      if (isNew && !(await writeRow(before, device.row))) return;
      await carryOutStep(device, step);
    });
  }
  await Promise.all(writes.slice(0, WRITES_AT_ONCE).map((write) => write()));
  return writes.length <= WRITES_AT_ONCE;

  async function writeRow(before: KubeObject | undefined, row: DeviceUpdateSpec): Promise<boolean> {
    const options = { fieldManager: SOURCE };
    const written = before
      ? registry.update(deviceUpdates, { ...before, spec: row }, options)
      : registry.create(deviceUpdates, newRow(set, row), options);
    return (await unlessGone(written)) !== undefined;
  }

  async function carryOutStep(device: Tracked, step: PodStep): Promise<void> {
    switch (step.type) {
      case 'none':
        return;
      case 'offer':
        return offer(device, step.step);
      case 'confirm':
        return removePod(step.old);
      case 'withdraw':
        return removePod(step.next);
    }
  }

  async function offer({ node, old, next, row }: Tracked, step: PodUpdate['step']): Promise<void> {
    const { template } = set.spec;
    const annotations = { [POD_UPDATE_ANNOTATION]: encodePodUpdate(updateOf(rollout.spec, step, old, row)) };
    const options = { fieldManager: SOURCE };
    if (next) {
      const change = (current: KubeObject) => ({
        ...current,
        metadata: { ...current.metadata, annotations: { ...current.metadata.annotations, ...annotations } },
      });
      await changeExisting(registry, pods, next, change, options);
    } else {
      const hash = rollout.spec.to.hash;
      await registry.create(pods, daemonPod(set, { template, hash, nodeName: node, annotations }), options);
    }
  }

  async function removePod({ metadata: { namespace, name = '', uid = '' } }: PodObject): Promise<void> {
    await unlessGone(registry.delete(pods, namespace, name, { preconditions: { uid } }));
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
    ...(device.windows?.length && {
      windows: device.windows.map(windowOf),
      clockUntrusted: device.clockUntrusted,
      saidAt: row.appliedAt ?? row.since,
    }),
  };
}

/** What a change waits for on the device. What goes back heals, and waits for nobody. */
function reservesOf({ consent, minFreeDisk }: RolloutPolicySpec['device']): Partial<PodUpdate> {
  const maxDeferSeconds = durationMs(consent?.maxDefer) / 1000;
  return { ...(maxDeferSeconds > 0 && { consent: { maxDeferSeconds } }), minFreeDisk };
}

function checkOf({ period, timeout, ...check }: HealthCheck): UpdateCheck {
  return { ...check, periodSeconds: durationMs(period) / 1000, timeoutSeconds: durationMs(timeout) / 1000 };
}

function windowOf({ schedule, duration, timeZone }: Window): UpdateWindow {
  const durationSeconds = durationMs(duration) / 1000;
  return { schedule, durationSeconds, ...(timeZone !== 'device' && { timeZone }) };
}

function newRow(set: DaemonSetObject, row: DeviceUpdateSpec): KubeObject {
  const { namespace, name = '' } = set.metadata;
  return {
    apiVersion: FLEET_API_VERSION,
    kind: deviceUpdates.kind,
    metadata: {
      name: rowName(name, row.node),
      ...(namespace && { namespace }),
      ownerReferences: [{ ...controllerReference(daemonSets, set), blockOwnerDeletion: false }],
    },
    spec: row,
  };
}
