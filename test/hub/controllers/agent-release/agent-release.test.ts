import t from 'tap';
import { missingPackages } from '../../../../hub/controllers/agent-release/missing-packages.ts';
import { planRevisions } from '../../../../hub/controllers/agent-release/release-revisions.ts';
import { versionsAsPods } from '../../../../hub/controllers/rollout/agent-release-workload.ts';
import { type AgentReleaseObject, isFor } from '../../../../hub/fleet/agent-release.ts';
import type { ControllerRevisionObject, NodeObject } from '../../../../hub/resources/typed.ts';
import {
  AGENT_ACCEPTED_CONDITION,
  AGENT_RELEASE_ANNOTATION,
  encodeAgentRelease,
} from '../../../../proto/agent-release.ts';
import type { PodUpdate } from '../../../../proto/pod-update.ts';
import { answerTo } from '../../../../proto/request-answer.ts';

const release = (spec: object = {}): AgentReleaseObject => ({
  apiVersion: 'fleet.holdfast.dev/v1',
  kind: 'AgentRelease',
  metadata: { name: 'fleet', namespace: 'default', uid: 'release' },
  spec: { version: '2.0.0', policy: 'careful', paused: false, ...spec },
});
const owner = { apiVersion: 'fleet.holdfast.dev/v1', kind: 'AgentRelease', name: 'fleet', uid: 'release' };
const node = (
  name: string,
  version: string,
  more: { annotations?: object; conditions?: object[]; arch?: string } = {},
) =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}`, labels: { ring: name }, annotations: more.annotations ?? {} },
    spec: {},
    status: {
      nodeInfo: { kubeletVersion: `v${version}`, architecture: more.arch ?? 'amd64' },
      conditions: [{ type: 'Ready', status: 'True' }, ...(more.conditions ?? [])],
    },
  }) as unknown as NodeObject;
const record = (version: string, revision: number) =>
  ({
    metadata: { name: `agent-fleet-${version}`, labels: { 'controller-revision-hash': version } },
    revision,
  }) as unknown as ControllerRevisionObject;

t.test('the history begins with what most devices run', async (t) => {
  const plan = (records: ControllerRevisionObject[], devices: NodeObject[], version = '2.0.0') => {
    const { create, renumber } = planRevisions(release({ version }), owner, records, devices);
    const made = create.map((each) => {
      const { revision, metadata } = each as ControllerRevisionObject;
      return [revision, metadata.labels?.['controller-revision-hash']];
    });
    return { made, renumber };
  };
  const devices = [node('a', '1.0.0'), node('b', '1.1.0'), node('c', '1.1.0'), node('d', '2.0.0')];
  t.same(plan([], devices).made, [
    [1, '1.1.0'],
    [2, '2.0.0'],
  ]);
  t.same(
    plan([], [node('d', '2.0.0')]).made,
    [
      [1, 'as-installed'],
      [2, '2.0.0'],
    ],
    'nobody to go back',
  );
  const records = [record('1.1.0', 1), record('2.0.0', 2)];
  t.same(plan(records, devices), { made: [], renumber: undefined });
  t.same(plan(records, devices, '3.0.0').made, [[3, '3.0.0']]);
  t.match(plan(records, devices, '1.1.0').renumber, { record: { revision: 1 }, to: 3 }, 'as of any undo');
});

t.test('what the hub lacks is named with what to do', async (t) => {
  const source = {
    port: () => 1,
    packagesOf: (_: string, arch: string) =>
      arch === 'amd64' ? { slim: { name: '', sha256: '', bytes: 1 } } : {},
  };
  t.equal(missingPackages('2.0.0', [node('a', '1.0.0')], source), undefined);
  t.match(
    missingPackages('2.0.0', [node('a', '1.0.0'), node('b', '1.0.0', { arch: 'arm64' })], source),
    /no package of the agent 2\.0\.0 for arm64 \(1 device\): add it with "holdfast packages add holdfast-agent-2\.0\.0-linux-arm64\.tar\.gz"/,
  );
});

t.test('whom a release is for', async (t) => {
  const device = node('a', '1.0.0');
  t.ok(isFor(release(), device));
  t.ok(isFor(release({ nodeSelector: { ring: 'a' } }), device));
  t.notOk(isFor(release({ nodeSelector: { ring: 'b' } }), device));
  t.ok(isFor(release({ devices: ['a', 'b'] }), device));
  t.notOk(isFor(release({ devices: ['b'] }), device));
});

t.test('versions as the engine of rollouts sees them', async (t) => {
  const update: PodUpdate = {
    step: 'apply',
    order: 'download-then-stop',
    ...{ minHealthySeconds: 1, maxRestarts: 0 },
    ...{ deadlineSeconds: 60, rollback: true, replaces: 'uid-a/1.0.0' },
  };
  const asked = encodeAgentRelease({
    id: 'x-0',
    release: 'default/fleet',
    version: '2.0.0',
    port: 1,
    update,
  });
  const annotations = { [AGENT_RELEASE_ANNOTATION]: asked };
  const said = (status: string, id = 'x-0') => [
    { type: AGENT_ACCEPTED_CONDITION, status, reason: 'R', message: answerTo(id, 'so') },
  ];
  const seen = (version: string, more: object = {}, of = 'default/fleet') =>
    versionsAsPods(node('a', version, more), of).map(({ metadata, status }) => {
      const accepted = status?.conditions?.find(({ type }) => type.endsWith('/Accepted'));
      return [metadata.labels?.['controller-revision-hash'], metadata.uid, accepted?.status ?? ''];
    });
  t.same(seen('1.0.0'), [['1.0.0', 'uid-a/1.0.0', '']]);
  t.same(seen('1.0.0', { annotations }), [
    ['1.0.0', 'uid-a/1.0.0', ''],
    ['2.0.0', 'x-0', ''],
  ]);
  t.same(
    seen('2.0.0', { annotations, conditions: said('Unknown') }),
    [
      ['1.0.0', 'uid-a/1.0.0', ''],
      ['2.0.0', 'x-0', 'Unknown'],
    ],
    'one that is tried does not count as what runs',
  );
  t.same(seen('2.0.0', { annotations, conditions: said('True') })[1], ['2.0.0', 'x-0', 'True']);
  t.same(
    seen('1.0.0', { annotations, conditions: said('False', 'x-1') })[1],
    ['2.0.0', 'x-0', ''],
    'of another request',
  );
  t.same(
    seen('1.0.0', { annotations }, 'default/other'),
    [['1.0.0', 'uid-a/1.0.0', '']],
    'asked by another release',
  );
});
