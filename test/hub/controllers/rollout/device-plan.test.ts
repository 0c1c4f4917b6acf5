import t from 'tap';
import { type Device, observe, podStep } from '../../../../hub/controllers/rollout/device-plan.ts';
import type { DeviceUpdateSpec, Step } from '../../../../hub/fleet/device-update.ts';
import type { PodObject } from '../../../../hub/resources/typed.ts';
import {
  ACCEPTED_CONDITION,
  encodePodUpdate,
  POD_UPDATE_ANNOTATION,
  STAGED_CONDITION,
} from '../../../../proto/pod-update.ts';
import { policyOf } from './world.ts';

/* A device with several pods of a Deployment: what is said of each, and what follows for all. */

const NOW = '2026-01-01T00:00:00.000Z';
const context = {
  name: 'deploy-app-2',
  workload: 'app',
  nowMs: Date.parse(NOW),
  spec: {
    workload: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    policyName: 'p',
    policy: policyOf({}),
    from: { number: 1, hash: 'one' },
    to: { number: 2, hash: 'two' },
    type: 'change',
  },
} as const;

const pod = (uid: string, more: object = {}): PodObject =>
  ({ metadata: { name: uid, uid, ...more }, spec: { containers: [] }, status: {} }) as unknown as PodObject;

/** One that takes the place of `replaces`; what its device says of it: `True`, `False`, or why it waits. */
function candidate(replaces: string, accepted?: string, step: 'stage' | 'apply' = 'apply'): PodObject {
  const update = {
    order: 'start-first',
    minHealthySeconds: 1,
    maxRestarts: 0,
    deadlineSeconds: 9,
    rollback: true,
  };
  const annotation = encodePodUpdate({ ...update, order: 'start-first', step, replaces });
  const made = pod(`for-${replaces}`, { annotations: { [POD_UPDATE_ANNOTATION]: annotation } });
  const status = accepted === 'True' || accepted === 'False' ? accepted : 'Unknown';
  const reason = status === 'Unknown' ? accepted : status === 'True' ? 'Healthy' : 'Restarts';
  const conditions = [
    { type: STAGED_CONDITION, status: 'True' },
    ...(accepted ? [{ type: ACCEPTED_CONDITION, status, reason }] : []),
  ];
  return { ...made, status: { conditions } } as unknown as PodObject;
}

const deviceAt = (step: Step, old: readonly PodObject[], next: readonly PodObject[]): Device => ({
  node: 'n',
  labels: {},
  isOnline: true,
  steadyMs: 3_600_000,
  old,
  next,
  row: {
    workload: 'app',
    node: 'n',
    rollout: 'deploy-app-2',
    wave: 'canary',
    class: 'reachable',
    step,
    since: NOW,
    appliedAt: NOW,
  } satisfies DeviceUpdateSpec,
});

const [a, b, c] = [pod('a'), pod('b'), pod('c')];

t.test('what several pods say together', async (t) => {
  const rows: [string, readonly PodObject[], readonly PodObject[], Step, string | undefined][] = [
    ['all are taken', [a, b], [candidate('a', 'True'), candidate('b', 'True')], 'Succeeded', 'Healthy'],
    ['one is still tried', [a, b], [candidate('a', 'True'), candidate('b', 'Trying')], 'Applying', undefined],
    ['one has said nothing', [a, b], [candidate('a', 'True'), candidate('b')], 'Applying', undefined],
    [
      'one waits',
      [a, b],
      [candidate('a', 'True'), candidate('b', 'WaitingForWindow')],
      'Applying',
      'WaitingForWindow',
    ],
    ['one is rejected', [a, b], [candidate('a', 'True'), candidate('b', 'False')], 'Rejected', 'Restarts'],
    [
      'one is rejected, one waits',
      [a, b],
      [candidate('a', 'WaitingForWindow'), candidate('b', 'False')],
      'Rejected',
      'Restarts',
    ],
    ['one is not there yet', [a, b], [candidate('a', 'True')], 'Applying', undefined],
    ['an old one is gone', [b], [candidate('a', 'True'), candidate('b', 'True')], 'Succeeded', 'Healthy'],
  ];
  for (const [what, old, next, step, reason] of rows) {
    const { row } = observe(context, deviceAt('Applying', old, next));
    t.equal(row.step, step, what);
    if (reason) t.equal(row.reason, reason, what);
  }
});

t.test('a pod of before that comes to a device that is done', async (t) => {
  const tracked = observe(context, deviceAt('Succeeded', [c], [candidate('a', 'True')]));
  t.match(tracked.row, { step: 'Applying', reason: 'AnotherPod', appliedAt: NOW });
  t.match(podStep(tracked, context), { type: 'offer', step: 'apply', offers: [{ old: c, next: undefined }] });
});

t.test('what is done with its pods', async (t) => {
  const stepOf = (step: Step, old: readonly PodObject[], next: readonly PodObject[]) => {
    const device = deviceAt(step, old, next);
    const row = device.row as DeviceUpdateSpec;
    return podStep({ ...device, row, isUnhealthy: false, wakeInMs: undefined }, context);
  };
  const staged = candidate('a', undefined, 'stage');
  t.match(stepOf('Staging', [a, b], [staged]), { type: 'offer', offers: [{ old: b, next: undefined }] });
  t.match(stepOf('Applying', [a], [staged]), {
    type: 'offer',
    step: 'apply',
    offers: [{ old: a, next: staged }],
  });
  t.same(stepOf('Applying', [a], [candidate('a')]), { type: 'none' });
  t.match(stepOf('Succeeded', [a], [candidate('a', 'True')]), { type: 'confirm', old: [a] });
  const kept = candidate('a', 'True');
  const rejected = candidate('b', 'False');
  t.same(
    stepOf('Rejected', [b], [kept, rejected]),
    { type: 'withdraw', next: [rejected] },
    'a has no way back',
  );
  t.same(stepOf('Rejected', [a, b], [kept, rejected]), { type: 'withdraw', next: [kept, rejected] });
});

t.test('a device that has nothing but the revision has it when that is ready', async (t) => {
  const settled = (conditions: object[], phase = 'Running') =>
    ({ ...pod('n'), status: { phase, conditions } }) as unknown as PodObject;
  const ready = settled([{ type: 'Ready', status: 'True' }]);
  const failing = settled([{ type: 'Ready', status: 'False' }]);
  const away = settled([
    { type: 'Ready', status: 'False', reason: 'NodeNotReady' },
    { type: 'ContainersReady', status: 'True' },
  ]);
  const seen = (next: readonly PodObject[], row: object = {}, more: object = {}, type = 'change') => {
    const device = deviceAt('Waiting', [], next);
    const spec = { ...context.spec, type: type as 'change' | 'undo' };
    const known = { ...device.row, ...row } as DeviceUpdateSpec;
    return observe({ ...context, spec }, { ...device, row: known, ...more });
  };
  t.match(seen([ready]).row, { step: 'Succeeded', reason: 'AlreadyThere' });
  t.match(seen([away], {}, { isOnline: false }).row, { step: 'Succeeded' }, 'as the device told last');
  t.match(seen([failing], {}, { isOnline: false }).row, { step: 'Waiting', class: 'dark' });
  t.match(seen([ready, failing]).row, { step: 'Waiting', reason: 'NeverReady' }, 'all of them');
  const starting = seen([failing]);
  t.match(starting.row, { step: 'Waiting', reason: 'NeverReady' });
  t.same(podStep(starting, context), { type: 'none' }, 'its pod is left alone');
  t.equal(starting.wakeInMs, 16.5 * 60_000, 'its time is that of a device, and the margin');
  const late = { since: '2025-12-31T23:00:00Z' };
  const failed = seen([failing], late);
  t.match(failed.row, { step: 'Failed', reason: 'NeverReady' });
  t.same(podStep(failed, context), { type: 'none' });
  t.match(seen([ready], failed.row).row, { step: 'Succeeded' }, 'later than never');
  t.match(seen([failing], late, {}, 'undo').row, { step: 'Succeeded' }, 'an undo is not held up');
  const scaled = observe(context, { ...deviceAt('Waiting', [a], [failing]), row: starting.row });
  t.match(scaled.row, { step: 'Waiting', reason: '' }, 'there is something to switch');
});
