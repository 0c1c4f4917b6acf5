import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readConnection } from '../../../hub/cli/kubeconfig.ts';
import { planDrain } from '../../../hub/cli/node/drain-plan.ts';
import { classText, nodeTable, updatesByNode } from '../../../hub/cli/node/node-text.ts';
import { refusalOf } from '../../../hub/cli/rollout/actions.ts';
import { parseReference } from '../../../hub/cli/rollout/find-rollout.ts';
import type { DeviceUpdateObject } from '../../../hub/fleet/device-update.ts';
import type { GateStatus, RolloutAction, RolloutStatus } from '../../../hub/fleet/rollout.ts';
import { NOW, NOW_MS, nodeOf, podOf, rolloutOf, rowOf, waveOf } from './objects.ts';

t.test('names of rollouts and workloads', async (t) => {
  t.same(parseReference('app-3'), { type: 'rollout', name: 'app-3' });
  t.same(parseReference('rollouts.fleet.holdfast.dev/app-3'), { type: 'rollout', name: 'app-3' });
  for (const text of ['ds/app', 'daemonset/app', 'DaemonSets.apps/app'])
    t.same(parseReference(text), { type: 'workload', workload: { kind: 'DaemonSet', name: 'app' } });
  for (const text of ['deploy/app', 'deployments.apps/app'])
    t.same(parseReference(text), { type: 'workload', workload: { kind: 'Deployment', name: 'app' } });
  t.throws(() => parseReference('sts/app'), { message: /rollouts go over no "sts"/ });
  for (const text of ['ds/', 'a/b/c', '/']) t.throws(() => parseReference(text), { message: /NAME must be/ });
});

t.test('what the hub would do nothing about is refused', async (t) => {
  const waves = [waveOf('canary', 'Done'), waveOf('pilot', 'Progressing'), waveOf('rest', 'Pending')];
  const at = (phase: RolloutStatus['phase'], more: object = {}): RolloutStatus => ({
    ...(phase && { phase }),
    wave: 'pilot',
    waves,
    ...more,
  });
  const measured = (result: GateStatus['result']) => [
    waveOf('pilot', 'Baking', { gates: [{ name: 'errors', result, message: '', askedAt: NOW }] }),
  ];
  const rows: [RolloutAction, RolloutStatus, RegExp | undefined][] = [
    [{ type: 'start' }, {}, undefined],
    [{ type: 'start' }, at('Progressing'), /has started already/],
    [{ type: 'pause' }, at('Progressing'), undefined],
    [{ type: 'pause' }, at('Paused'), /is Paused at wave pilot already/],
    [{ type: 'resume' }, at('Paused'), undefined],
    [{ type: 'resume' }, at('Baking'), /only what is Paused/],
    [{ type: 'approve' }, at('AwaitingApproval'), undefined],
    [{ type: 'approve' }, {}, /no wave has begun/],
    [{ type: 'approve', wave: 'canary' }, {}, undefined],
    [{ type: 'approve' }, at('Progressing'), /wave pilot asks for no approval/],
    [{ type: 'approve', wave: 'canary' }, at('Progressing'), /wave canary is Done/],
    [{ type: 'promote' }, at('Baking'), undefined],
    [{ type: 'promote' }, at('Progressing'), /--full goes past/],
    [{ type: 'promote', full: true }, at('Progressing'), undefined],
    [{ type: 'retry' }, at('Paused', { failed: 1 }), undefined],
    [{ type: 'retry' }, at('Succeeded', { lost: 1 }), undefined],
    [{ type: 'retry' }, at('Paused'), /none of its devices has failed/],
    [{ type: 'retry' }, at('Paused', { waves: measured('fail') }), undefined],
    [{ type: 'retry' }, at('Paused', { waves: measured('pass') }), /none of its devices has failed/],
    [{ type: 'retry' }, at('Aborted', { failed: 1 }), /what is over cannot be asked to retry/],
    [{ type: 'skip-wave' }, at('Progressing'), undefined],
    [{ type: 'skip-wave', wave: 'canary' }, at('Progressing'), /wave canary is Done/],
    [{ type: 'skip-wave', wave: 'rest' }, at('Progressing'), /the last/],
    [{ type: 'skip-wave', wave: 'x' }, at('Progressing'), /no wave "x", but canary, pilot, rest/],
    [{ type: 'abort' }, at('Paused'), undefined],
    [{ type: 'abort' }, at('Succeeded'), /what is over/],
    [{ type: 'undo' }, at('Succeeded'), undefined],
    [{ type: 'undo' }, at('Undone'), /--to/],
  ];
  for (const [action, status, refusal] of rows) {
    const found = refusalOf(rolloutOf(status), action);
    const what = `${action.type} when ${status.phase}`;
    if (refusal) t.match(found, refusal, what);
    else t.equal(found, undefined, what);
  }
});

t.test('nodes: reachable, dark, lost, and where rollouts are', async (t) => {
  const dark = nodeOf('a', { ready: 'Unknown', since: '2026-01-01T11:55:00Z', unschedulable: true });
  t.equal(classText(dark, [], NOW_MS), 'dark 5m');
  t.equal(classText(dark, [rowOf({ class: 'lost' })], NOW_MS), 'lost 5m');
  t.equal(classText(nodeOf('a', { ready: 'False' }), [], NOW_MS), 'reachable', 'it says that it is not well');
  const rows = [rowOf({ node: 'a', wave: 'canary', step: 'Rejected' })].map((spec) => ({ spec }));
  const updates = updatesByNode(rows as unknown as DeviceUpdateObject[]);
  t.same(nodeTable([dark], updates, { nowMs: NOW_MS, isWide: false }).rows, [
    ['a', 'NotReady,SchedulingDisabled', 'dark 5m', 'v1.0.0', 'app-3 Rejected (canary)', '12h'],
  ]);
});

t.test('drain takes what kubectl drain --ignore-daemonsets takes', async (t) => {
  const pods = [
    podOf('web', 'ReplicaSet'),
    podOf('daemon', 'DaemonSet'),
    podOf('own', undefined),
    podOf('data', 'ReplicaSet', { volumes: [{ name: 'v', emptyDir: {} }] }),
  ];
  const names = (force: boolean, deleteEmptyDirData: boolean) => {
    const { evict, refusals } = planDrain(pods, { force, deleteEmptyDirData });
    return [evict.map(({ metadata }) => metadata.name), refusals];
  };
  t.match(names(false, false)[1], [
    /\(--force\): default\/own$/,
    /\(--delete-emptydir-data\): default\/data$/,
  ]);
  t.same(names(true, true), [['web', 'own', 'data'], []]);
  t.match(planDrain(pods, { force: true, deleteEmptyDirData: true }).warnings, [
    /DaemonSets stay: default\/daemon$/,
  ]);
});

t.test('kubeconfigs: contexts, files and tokens; several of them; what is missing is named', async (t) => {
  const dir = t.testdir({ 'ca.pem': 'CA', token: ' secret\n' });
  const write = (name: string, content: object) => {
    writeFileSync(join(dir, name), JSON.stringify(content));
    return join(dir, name);
  };
  const first = write('a', {
    'current-context': 'one',
    clusters: [{ name: 'c', cluster: { server: 'https://hub:6443', 'certificate-authority': 'ca.pem' } }],
    users: [{ name: 'u', user: { tokenFile: 'token' } }],
    contexts: [{ name: 'one', context: { cluster: 'c', user: 'u', namespace: 'shop' } }],
  });
  const second = write('b', {
    'current-context': 'two',
    users: [
      { name: 'v', user: { token: 'other' } },
      { name: 'w', user: { exec: {} } },
    ],
    contexts: [
      { name: 'two', context: { cluster: 'c', user: 'v' } },
      { name: 'three', context: { cluster: 'c', user: 'w' } },
    ],
  });
  const expected = { server: 'https://hub:6443', tls: { ca: 'CA' }, token: 'secret', namespace: 'shop' };
  t.same(readConnection(first), expected);
  t.match(readConnection(`${first}:${second}`), expected, 'the first that says it counts');
  t.match(readConnection(`${first}:${second}`, 'two'), { token: 'other', namespace: 'default' });
  t.throws(() => readConnection(first, 'four'), { message: 'it has no context "four": there are one' });
  t.throws(() => readConnection(`${first}:${second}`, 'three'), { message: /from "exec"/ });
  t.throws(() => readConnection(second), { message: 'it has no cluster "c": there are none' });
  t.throws(() => readConnection(write('c', [])), { message: 'it names no cluster' });
});
