import t from 'tap';
import { explainDevice, type Question } from '../../../hub/cli/rollout/explain-device.ts';
import { mismatchOf } from '../../../hub/cli/rollout/mismatch.ts';
import type { DaemonSetObject } from '../../../hub/resources/typed.ts';
import { NOW_MS, nodeOf, rolloutOf, rowOf, setOf, waveOf } from './objects.ts';

const AT = '2026-01-01T11:58:00Z';
const WAVES = {
  waves: [
    { name: 'canary', limit: 2, approve: 'manual', bake: '5m' },
    { name: 'pilot', limit: '10%', selector: { matchLabels: { site: 'berlin' } } },
    { name: 'broad', selector: { matchLabels: { site: 'berlin' } } },
  ],
};
const atCanary = (phase: 'Progressing' | 'Baking' | 'AwaitingApproval') =>
  rolloutOf(
    {
      phase,
      wave: 'canary',
      waves: [waveOf('canary', phase, { devices: 2, succeeded: 1, bakingSince: AT })],
    },
    WAVES,
  );
const over = (phase: 'Aborted' | 'Undone' | 'Superseded' | 'Paused', reason: string, more: object = {}) =>
  rolloutOf({
    phase,
    wave: 'canary',
    message: 'no good',
    finishedAt: AT,
    transitions: [{ at: AT, phase, reason, ...more }],
  });
const stages = { stage: { maxConcurrent: 7 } };

const dark = nodeOf('press', { ready: 'Unknown' });

interface Row {
  readonly what: string;
  readonly given: Partial<Question> & { readonly set?: DaemonSetObject };
  readonly reason: string;
  readonly message: string | RegExp;
  readonly has?: true;
}

const ROWS: readonly Row[] = [
  {
    what: 'it has the revision',
    given: { row: rowOf({ step: 'Succeeded', reason: 'Healthy' }) },
    reason: 'Healthy',
    message: 'has revision 3 of app since 2026-01-01T11:55:00Z (5m ago)',
    has: true,
  },
  {
    what: 'rejected, with what the device said in one line',
    given: { row: rowOf({ step: 'Rejected', reason: 'Restarts', message: 'main restarted\n3 times' }) },
    reason: 'Rejected',
    message: 'rejected revision 3 of app 2026-01-01T11:55:00Z (5m ago): Restarts: main restarted 3 times',
  },
  {
    what: 'a deadline',
    given: {
      row: rowOf({
        step: 'Failed',
        reason: 'DeadlineExceeded',
        message: 'the device did not decide in time',
      }),
    },
    reason: 'DeadlineExceeded',
    message:
      'has not taken revision 3 of app: the device did not decide in time (2026-01-01T11:55:00Z (5m ago))',
  },
  {
    what: 'at it',
    given: { row: rowOf({ step: 'Applying', appliedAt: AT }) },
    reason: 'Applying',
    message:
      'is at it: it was told to take revision 3 of app at 2026-01-01T11:58:00Z (2m ago), and has 15m to decide',
  },
  {
    what: 'it holds back, and says why',
    given: {
      row: rowOf({ step: 'Applying', appliedAt: AT, reason: 'WaitingForWindow', message: 'until 02:00' }),
    },
    reason: 'WaitingForWindow',
    message: 'was told to take revision 3 of app at 2026-01-01T11:58:00Z (2m ago), and waits: until 02:00',
  },
  {
    what: 'it cannot download, and says why',
    given: { row: rowOf({ step: 'Staging', reason: 'InsufficientDisk', message: '1 MiB free' }) },
    reason: 'InsufficientDisk',
    message: 'does not have revision 3 of app, and waits: 1 MiB free',
  },
  {
    what: 'dark while at it',
    given: { row: rowOf({ step: 'Applying', appliedAt: AT }), node: dark },
    reason: 'Dark',
    message: /^is dark since 2026-01-01T11:00:00Z \(60m ago\): it was told .*, and decides by itself$/,
  },
  {
    what: 'lost',
    given: { row: rowOf({ step: 'Applying', class: 'lost', appliedAt: AT }), node: dark },
    reason: 'Lost',
    message: /^is lost: it was told .*, took it up, and is silent since 2026-01-01T11:00:00Z/,
  },
  {
    what: 'dark, whoever has paused the rollout',
    given: {
      row: rowOf({ class: 'dark', wave: 'canary' }),
      node: dark,
      rollout: over('Paused', 'PauseRequested'),
    },
    reason: 'Dark',
    message:
      'is dark since 2026-01-01T11:00:00Z (60m ago): of wave canary, it gets revision 3 of app when it is back',
  },
  {
    what: 'dark, but nobody gets it any more',
    given: {
      row: rowOf({ class: 'dark' }),
      node: dark,
      rollout: over('Aborted', 'AbortRequested', { by: 'ann' }),
    },
    reason: 'Aborted',
    message: /rollout app-3 was aborted by ann since 2026-01-01T11:58:00Z \(2m ago\): no good$/,
  },
  {
    what: 'waits for approval, and may be chosen before its wave',
    given: {
      row: rowOf(),
      node: nodeOf('press', { labels: { site: 'berlin' } }),
      rollout: atCanary('AwaitingApproval'),
    },
    reason: 'WaitsForApproval',
    message:
      'does not have revision 3 of app: it waits for wave broad, unless pilot chooses it, and wave canary waits for approval (holdfast rollout approve app-3 --wave canary)',
  },
  {
    what: 'waits for a wave that bakes',
    given: { row: rowOf(), rollout: atCanary('Baking') },
    reason: 'WaitsForWave',
    message:
      'does not have revision 3 of app: it waits for wave rest, and wave canary bakes until 2026-01-01T12:03:00Z',
  },
  {
    what: 'waits for a wave, with all downloaded',
    given: { row: rowOf({ step: 'Staged' }), rollout: atCanary('Progressing') },
    reason: 'WaitsForWave',
    message:
      'holds the images of revision 3 of app: it waits for wave rest, and the rollout is at wave canary (1 of 2 devices done)',
  },
  {
    what: 'downloads',
    given: { row: rowOf({ step: 'Staging' }), rollout: atCanary('Progressing') },
    reason: 'Staging',
    message: 'downloads revision 3 of app since 2026-01-01T11:55:00Z (5m ago)',
  },
  {
    what: 'waits to download',
    given: {
      row: rowOf({ wave: 'canary' }),
      rollout: rolloutOf(
        { phase: 'Progressing', wave: 'canary', waves: [waveOf('canary', 'Progressing')] },
        stages,
      ),
    },
    reason: 'WaitsToStage',
    message: /in wave canary and waits for its turn to download, 7 do at a time$/,
  },
  {
    what: 'the budget',
    given: {
      row: rowOf({
        wave: 'canary',
        reason: 'Budget',
        message: 'as many devices of its group are out of service',
      }),
      rollout: atCanary('Progressing'),
    },
    reason: 'Budget',
    message: 'does not have revision 3 of app, and waits: as many devices of its group are out of service',
  },
  {
    what: 'it has a pod of the revision, which never ran',
    given: {
      row: rowOf({ reason: 'NeverReady', message: 'its pod of the revision has not been ready yet' }),
      rollout: rolloutOf({ phase: 'Succeeded' }),
    },
    reason: 'NeverReady',
    message: 'does not have revision 3 of app, and waits: its pod of the revision has not been ready yet',
  },
  {
    what: 'catches up',
    given: { row: rowOf(), rollout: rolloutOf({ phase: 'Succeeded' }) },
    reason: 'CatchUp',
    message: 'does not have revision 3 of app, and waits for its turn to catch up: 50 devices do at a time',
  },
  {
    what: 'a gate of the wave before',
    given: {
      row: rowOf(),
      rollout: rolloutOf(
        {
          phase: 'Baking',
          wave: 'canary',
          waves: [
            waveOf('canary', 'Baking', {
              gates: [
                {
                  name: 'errors',
                  result: 'inconclusive',
                  message: 'the query found no data',
                  askedAt: '2026-01-01T11:59:00Z',
                  openSince: '2026-01-01T11:58:00Z',
                },
              ],
            }),
          ],
        },
        { waves: [{ name: 'canary', limit: 2 }] },
      ),
    },
    reason: 'WaitsForGate',
    message:
      'does not have revision 3 of app: it waits for wave rest, and wave canary waits for gate errors: the query found no data',
  },
  {
    what: 'paused by a gate',
    given: { row: rowOf(), rollout: over('Paused', 'GateFailed') },
    reason: 'Paused',
    message:
      'does not have revision 3 of app: rollout app-3 is paused since 2026-01-01T11:58:00Z (2m ago): no good',
  },
  {
    what: 'paused by somebody',
    given: { row: rowOf(), rollout: over('Paused', 'PauseRequested', { by: 'ann' }) },
    reason: 'Paused',
    message: /is paused by ann since/,
  },
  {
    what: 'undone',
    given: { row: rowOf(), rollout: over('Undone', 'GateFailed') },
    reason: 'Undone',
    message: /was undone since/,
  },
  {
    what: 'superseded',
    given: { row: rowOf(), rollout: over('Superseded', 'PolicyRemoved') },
    reason: 'Superseded',
    message: /was superseded since/,
  },
  {
    what: 'not started',
    given: { row: rowOf(), rollout: rolloutOf({ phase: 'Pending' }) },
    reason: 'WaitsForStart',
    message:
      'does not have revision 3 of app: rollout app-3 waits to be started (holdfast rollout start app-3)',
  },
  {
    what: 'its row is of a rollout before',
    given: { row: rowOf({ rollout: 'app-2', step: 'Succeeded' }) },
    reason: 'NotSeenYet',
    message: 'does not have revision 3 of app: rollout app-3 has not come to it yet',
  },
  {
    what: 'a selector',
    given: {
      set: setOf({ nodeSelector: { site: 'rome' } }),
      node: nodeOf('press', { labels: { site: 'berlin' } }),
    },
    reason: 'NotMatched',
    message:
      'is not matched by DaemonSet app: its nodeSelector asks for site=rome, the device has site=berlin',
  },
  {
    what: 'a selector of a label that it has not',
    given: { set: setOf({ nodeSelector: { site: 'rome' } }) },
    reason: 'NotMatched',
    message:
      'is not matched by DaemonSet app: its nodeSelector asks for site=rome, the device has no such label',
  },
  {
    what: 'a taint',
    given: { node: nodeOf('press', { taints: [{ key: 'dedicated', value: 'db', effect: 'NoSchedule' }] }) },
    reason: 'NotMatched',
    message:
      "is not matched by DaemonSet app: the template does not tolerate the device's taint dedicated=db:NoSchedule",
  },
  {
    what: 'an affinity',
    given: {
      set: setOf({
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'gpu', operator: 'Exists' }] }],
            },
          },
        },
      }),
    },
    reason: 'NotMatched',
    message: 'is not matched by DaemonSet app: its labels do not meet the required node affinity',
  },
  {
    what: 'the template waits for a policy that is not there, whatever the rollout before has come to',
    given: { row: rowOf({ step: 'Succeeded', reason: 'Healthy' }), missingPolicy: 'p' },
    reason: 'PolicyNotFound',
    message:
      'does not have the present template of DaemonSet app: RolloutPolicy "p", to which it refers, is not there, and changes wait until it is',
  },
  {
    what: 'no rollout yet',
    given: { rollout: undefined },
    reason: 'NoRollout',
    message: 'has the first revision of DaemonSet app: there was no rollout yet',
  },
  {
    what: 'no policy',
    given: { rollout: undefined, set: setOf({}, null) },
    reason: 'NoRollout',
    message: /^follows DaemonSet app in Kubernetes' own way/,
  },
];

for (const { what, given, reason, message, has = false } of ROWS) {
  t.test(what, async (t) => {
    const rollout = rolloutOf({ phase: 'Progressing' });
    const { node = nodeOf('press'), set = setOf(), ...others } = given;
    const found = explainDevice({
      node,
      reference: { kind: 'DaemonSet', name: 'app' },
      workload: set,
      mismatch: mismatchOf(set, node),
      rollout,
      row: undefined,
      nowMs: NOW_MS,
      ...others,
    });
    t.equal(found.reason, reason);
    if (typeof message === 'string') t.equal(found.message, message);
    else t.match(found.message, message);
    t.equal(found.hasRevision, has);
  });
}
