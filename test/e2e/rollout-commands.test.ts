import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { dump, load } from 'js-yaml';
import t from 'tap';
import { runGroup } from '../../hub/cli/command.ts';
import { rollout as commands } from '../../hub/cli/rollout/rollout.ts';
import type { RolloutObject } from '../../hub/fleet/rollout.ts';
import { Fleet } from '../../scripts/fleet-sim/fleet.ts';
import type { Scenario } from '../../scripts/fleet-sim/scenario.ts';
import { AS_PLUGIN, writeCommand } from '../../scripts/local-processes.ts';
import { Holdfast } from '../support/holdfast.ts';
import { startHubInProcess } from '../support/hub-in-process.ts';
import { Kubectl } from '../support/kubectl.ts';
import { until } from '../support/until.ts';

/* The operator's commands as processes, on a whole hub and a simulated fleet. */

const SIZE = 10;
const DARK = 'sim-9';
const FLEET = '/apis/fleet.holdfast.dev/v1/namespaces/default';
const SETS = '/apis/apps/v1/namespaces/default/daemonsets';

const SCENARIO: Scenario = {
  all: { createMs: [1, 5], startMs: [1, 10], stopMs: 2 },
  images: {
    'app:bad': { exit: { afterMs: [5, 20], code: 3 } },
    'app:*': { pullMs: [1, 20] },
  },
  labels: { site: { prefix: 's', count: 2 } },
  groups: [{ name: 'dark', devices: [9], dark: [{ fromMs: 0 }] }],
};

const POLICY = {
  waves: [
    { name: 'canary', limit: 2, approve: 'manual' },
    { name: 'south', selector: { matchLabels: { site: 's9' } } },
  ],
  gates: { health: { minHealthy: '300ms', maxRestarts: 0, minAttempted: 1 } },
  deadline: { perDeviceApply: '20s' },
  budget: { groupBy: ['site'], maxUnavailable: 3 },
};

const hub = await startHubInProcess('--node-monitor-grace-period', '2');
const fleet = await Fleet.start({
  hub: { host: '127.0.0.1', port: hub.ports.grpc },
  token: await hub.token(SIZE),
  kubeconfig: hub.kubeconfig,
  size: SIZE,
  transport: 'grpc',
  scenario: SCENARIO,
  seed: 3,
});
t.teardown(async () => {
  await fleet.close();
  await hub.close();
});
const holdfast = new Holdfast(hub.kubeconfig);
const rollout = (line: string, input?: string) => holdfast.run(`rollout ${line}`, input);

const template = (image: string) => ({
  metadata: { labels: { app: 'app' } },
  spec: { containers: [{ name: 'main', image }] },
});
const setImage = (image: string) =>
  hub.api.call('PATCH', `${SETS}/app`, { spec: { template: template(image) } }, MERGE);
const MERGE = { contentType: 'application/merge-patch+json' };
const isReady = async (name: string) => {
  const node = await hub.api.call<{ status?: { conditions?: { type: string; status: string }[] } }>(
    'GET',
    `/api/v1/nodes/${name}`,
  );
  return node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
};
const rolloutNow = (name: string) => hub.api.find<RolloutObject>(`${FLEET}/rollouts/${name}`);
const atPhase = (name: string, phase: string) =>
  until(`${name} is ${phase}`, async () => {
    const found = await rolloutNow(name);
    return found?.status?.phase === phase ? found : undefined;
  });

await hub.api.call('POST', `${FLEET}/rolloutpolicies`, { metadata: { name: 'careful' }, spec: POLICY });
await hub.api.call('POST', SETS, {
  metadata: { name: 'app', annotations: { 'fleet.holdfast.dev/rollout-policy': 'careful' } },
  spec: { selector: { matchLabels: { app: 'app' } }, template: template('app:1') },
});
await Promise.all(fleet.devices.filter(({ name }) => name !== DARK).map((device) => device.runs('app:1')));
await until('the dark one is known to be', async () => (await isReady(DARK)) !== 'True');

type DeviceUpdates = {
  readonly items: readonly { readonly spec: { readonly node: string; readonly wave: string } }[];
};

let predicted: readonly string[] = [];

t.test('before there is a rollout', async (t) => {
  t.match(await rollout('status ds/app'), { code: 1, err: /has no rollout yet.*RolloutPolicy "careful"/ });
  t.match(await rollout('status ds/app --watch'), { code: 0, out: /at its first revision/ });
  t.match(await rollout('list'), { code: 0, err: /there are no rollouts/ });
  t.match(await rollout('explain sim-1 ds/app'), { code: 0, out: /^sim-1 has the first revision/ });
});

t.test('a change whose policy is not there waits for it, and explain says so', async (t) => {
  const annotations = { 'fleet.holdfast.dev/rollout-policy': 'forgotten' };
  const of = (image: string) => ({
    selector: { matchLabels: { app: 'lone' } },
    template: {
      metadata: { labels: { app: 'lone' } },
      spec: { containers: [{ name: 'main', image }] },
    },
  });
  await hub.api.call('POST', SETS, { metadata: { name: 'lone', annotations }, spec: of('app:1') });
  const revisions = async () => {
    const path = '/apis/apps/v1/namespaces/default/controllerrevisions?labelSelector=app%3Dlone';
    return (await hub.api.call<{ items: unknown[] }>('GET', path)).items.length;
  };
  await until('its first revision is on record', async () => (await revisions()) === 1);
  t.match((await rollout('explain sim-1 ds/lone')).out, /^sim-1 has the first revision/, 'nothing waits yet');
  await hub.api.call('PATCH', `${SETS}/lone`, { spec: of('app:2') }, MERGE);
  await until('the change is on record', async () => (await revisions()) === 2);
  const said = JSON.parse((await rollout('explain sim-1 ds/lone -o json')).out);
  t.match(said, { hasRevision: false, reason: 'PolicyNotFound', message: /RolloutPolicy "forgotten"/ });
  await hub.api.call('DELETE', `${SETS}/lone`);
});

t.test('plan: the devices of each wave, warnings, and nothing is changed', async (t) => {
  const before = await hub.api.call('GET', `${SETS}/app`);
  const { out, code } = await rollout('plan app --image main=app:2');
  t.equal(code, 0);
  t.match(out, /app-2 would go from revision 1 to 2/);
  t.match(out, /canary +2 +0 +approval +sim-\d, sim-\d\n/);
  t.match(out, /rest +8 +1 +done .*sim-9 \(dark\)/);
  t.match(out, /Warning: wave south selects nobody: no device matches its selector/);
  const json = JSON.parse((await rollout('plan app --image main=app:2 -o json')).out);
  predicted = json.waves[0].devices;
  t.equal(predicted.length, 2);
  t.same(await hub.api.call('GET', `${SETS}/app`), before);
  t.same((await hub.api.call('GET', `${FLEET}/rollouts`))['items'], []);
  const manifest = dump({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'app', annotations: { 'fleet.holdfast.dev/rollout-policy': 'careful' } },
    spec: { selector: { matchLabels: { app: 'app' } }, template: template('app:2') },
  });
  t.match(await rollout('plan ds/app -f - -o json', manifest), { code: 0, out: /"rollout": "app-2"/ });
  t.match(await rollout('plan app --image side=app:2'), { code: 1, err: /no container "side".*main/ });
  t.match(await rollout('plan other'), { code: 1, err: /no DaemonSet "other".*there are app/ });
});

t.test('a change is followed to its end; a wave waits for approval', async (t) => {
  await setImage('app:2');
  const followed = rollout('status ds/app --watch --timeout 60s');
  await atPhase('app-2', 'AwaitingApproval');
  const rows = (
    await hub.api.call<{ items: { spec: { node: string; wave: string } }[] }>('GET', `${FLEET}/deviceupdates`)
  ).items;
  const canary = rows.filter(({ spec }) => spec.wave === 'canary').map(({ spec }) => spec.node);
  t.same(canary.toSorted(), predicted.toSorted(), 'the canary is whom the plan named');
  const waiting = fleet.devices.find(({ name }) => !canary.includes(name) && name !== DARK)?.name;
  t.match((await rollout(`explain ${waiting} ds/app`)).out, /wave rest, and wave canary waits for approval/);
  t.match((await rollout(`explain ${canary[0]}`)).out, /^sim-\d has revision 2 of app since 20/);
  t.match((await rollout(`explain ${DARK} ds/app`)).out, /^sim-9 is dark since 20.*gets revision 2/);
  const shown = await rollout('status app-2');
  t.match(shown, { code: 0, out: /app-2: AwaitingApproval, wave canary \(1 of 3\)/ });
  t.match(shown.out, /holdfast rollout approve app-2 --wave canary/);
  t.match(await rollout('status app-2 --watch --timeout 300ms'), { code: 2, err: /timed out after 300ms/ });
  t.match(await rollout('resume app-2'), {
    code: 1,
    err: /is AwaitingApproval at wave canary: only what is Paused/,
  });
  t.match(await rollout('approve ds/app --wave nord'), { code: 1, err: /no such wave.*canary, south, rest/ });
  t.match(await rollout('approve ds/app --wave canary --reason fine'), { code: 0, out: /^app-2: / });
  const { code, out } = await followed;
  t.equal(code, 0, out);
  t.match(
    out,
    /app-2: AwaitingApproval, wave canary \((ApprovalNeeded|1 of 3)\)/,
    'seen to begin, or found so',
  );
  t.match(out, /app-2: Succeeded/);
  const record = await rolloutNow('app-2');
  t.match(record?.spec.actions, [{ type: 'approve', wave: 'canary', reason: 'fine', by: 'admin' }]);
  t.match((await rollout('status app-2')).out, /1 device is away: it follows when it is back/);
});

t.test('who has read enough ends a command quietly', async (t) => {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const args = ['hub/main.ts', 'rollout', 'list', '-o', 'json'];
  const child = spawn(process.execPath, args, { env: { ...env, KUBECONFIG: hub.kubeconfig } });
  child.stdout.destroy();
  const [said] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  t.equal(said, '');
});

t.test('a rollout can be followed whose policy has been deleted', async (t) => {
  await hub.api.call('DELETE', `${FLEET}/rolloutpolicies/careful`);
  t.match(await rollout('status ds/app --watch --timeout 60s'), { code: 0, out: /app-2: Succeeded/ });
  await hub.api.call('POST', `${FLEET}/rolloutpolicies`, { metadata: { name: 'careful' }, spec: POLICY });
});

t.test('a revision that fails: exit code 1, who rejected it and why, undo', async (t) => {
  await setImage('app:bad');
  const followed = await rollout('status ds/app -w --timeout 60s');
  t.equal(followed.code, 1, followed.out);
  t.match(followed.out, /app-3: [\s\S]*gate health: \d of \d devices? did not take the revision/);
  const items = await until('both of the canary have rejected it', async () => {
    const selector = 'fieldSelector=spec.step=Rejected,spec.rollout=app-3';
    const list = await hub.api.call<DeviceUpdates>('GET', `${FLEET}/deviceupdates?${selector}`);
    return list.items.length === 2 ? list.items : undefined;
  });
  const [rejected = '', other = ''] = [
    items[0]?.spec.node,
    fleet.devices.find(({ name }) => !items.some(({ spec }) => spec.node === name) && name !== DARK)?.name,
  ];
  t.match((await rollout(`explain ${rejected} ds/app`)).out, /rejected revision 3 of app 20.* ago\): \w+/);
  t.match((await rollout(`explain ${other} ds/app`)).out, /does not have revision 3.*is paused.*gate health/);
  const answer = JSON.parse((await rollout(`explain ${rejected} ds/app -o json`)).out);
  t.match(answer, {
    device: rejected,
    rollout: 'app-3',
    revision: 3,
    hasRevision: false,
    reason: 'Rejected',
  });
  t.match(await rollout('retry ds/app'), { code: 1, err: /--failed is needed/ });
  t.match(await rollout('skip-wave ds/app --wave rest'), { code: 1, err: /is the last/ });
  t.match(await rollout('retry ds/app --failed'), { code: 0, out: /^app-3: / });
  t.match(await rollout(`undo ds/app --reason 'no good'`), {
    code: 0,
    out: /^app-3: Undone by admin/,
  });
  t.match(await rollout('status app-3 --watch'), { code: 1 });
  t.match(await rollout('status ds/app --watch --timeout 60s'), { code: 0, out: /app-4: / });
  t.match(await rollout('undo ds/app'), { code: 1, err: /app-4.*an undo itself: name the revision/ });
  const { out } = await rollout('history ds/app');
  t.match(
    out,
    /^REVISION.*\n4 +app-4 +undo +Succeeded.*\n3 +app-3 +change +Undone.*\n.*app-2 +change +Succeeded/,
  );
  t.match((await rollout('history app-3')).out, /Undone +canary +UndoRequested +admin +no good/);
});

t.test('undo --to goes to a revision of the history; abort ends it where it is', async (t) => {
  t.match(await rollout('undo ds/app --to 77'), { code: 1, err: /no revision 77: there are 4, 3, 1/ });
  t.match(await rollout('undo ds/app --to 1'), { code: 0, out: /goes to the template of revision 1/ });
  const { code, out } = await rollout('status ds/app --watch --timeout 60s');
  t.equal(code, 0, out);
  await Promise.all(fleet.devices.filter(({ name }) => name !== DARK).map((each) => each.runs('app:1')));
  await setImage('app:5');
  await atPhase('app-6', 'AwaitingApproval');
  t.match(await rollout('pause ds/app --reason lunch'), {
    code: 0,
    out: /^app-6: Paused by admin/,
  });
  t.match(await rollout('resume app-6'), { code: 0, out: /^app-6: / });
  t.match(await rollout('abort app-6 --reason wrong -o json'), { code: 0, out: /"phase": "Aborted"/ });
  t.match(await rollout('promote app-6'), {
    code: 1,
    err: /is Aborted: what is over cannot be asked to promote/,
  });
  t.match(await rollout('status app-6 -w'), { code: 1 });
  const { out: listed } = await rollout('list ds/app');
  t.match(listed, /^NAME +WORKLOAD.*\napp-6 +ds\/app +6 +Aborted/);
});

t.test('start, promote, skip-wave; what is done can be undone', async (t) => {
  await hub.api.call('PATCH', `${FLEET}/rolloutpolicies/careful`, { spec: { start: 'manual' } }, MERGE);
  await setImage('app:6');
  await atPhase('app-7', 'Pending');
  t.match((await rollout('plan app')).out, /Warning: rollout app-7 is Pending: it would be superseded/);
  t.match((await rollout('explain sim-0 ds/app')).out, /app-7 waits to be started/);
  t.match(await rollout('start ds/app'), { code: 0 });
  await atPhase('app-7', 'AwaitingApproval');
  t.match(await rollout('promote ds/app --full'), { code: 0, out: /^app-7: / });
  t.match(await rollout('status ds/app -w --timeout 60s'), { code: 0, out: /app-7: Succeeded/ });
  t.match(await rollout('undo app-7 --reason late'), { code: 0, out: /^app-7: Undone by admin/ });
  t.match(await rollout('status ds/app -w --timeout 60s'), { code: 0, out: /app-8: / });
  await setImage('app:7');
  await atPhase('app-9', 'Pending');
  t.match(await rollout('start app-9'), { code: 0 });
  await atPhase('app-9', 'AwaitingApproval');
  t.match(await rollout('skip-wave app-9'), { code: 0, out: /^app-9: / });
  const frames = await drawnFrames('app-9');
  t.ok(
    frames.every((frame) => frame.split('\n').every((line) => [...line].length <= COLUMNS)),
    'no line is wider than the terminal',
  );
  t.match(frames.at(-1), /^app-9: Succeeded\n[\s\S]*canary +Skipped/);
});

const COLUMNS = 70;

/** What a terminal of that width shows, one state after the other, until the rollout is over. */
async function drawnFrames(name: string): Promise<string[]> {
  let written = '';
  const write = (text: string) => {
    written += text;
  };
  const code = await runGroup(commands, ['status', name, '--watch', '--timeout', '60s'], {
    kubeconfig: hub.kubeconfig,
    stdout: { isTTY: true, columns: COLUMNS, rows: 24, write },
    stderr: { write },
    program: 'holdfast',
    env: {},
    now: () => Date.now(),
  });
  if (code !== 0) throw new Error(written);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: how a terminal is told to draw over what is there
  return written.split(/\u001b\[\d+A\u001b\[J/);
}

t.test('mistakes are told with what was wanted and found', async (t) => {
  t.match(await rollout('status nope'), {
    code: 1,
    err: /no rollout "nope".*there are app-9 \(Succeeded\), app-8/,
  });
  t.match(await rollout('status app'), { code: 1, err: /write ds\/app/ });
  t.match(await rollout('status sts/app'), { code: 1, err: /rollouts go over no "sts"/ });
  t.match(await rollout('pause'), {
    code: 1,
    err: /takes NAME\|ds\/NAME\|deploy\/NAME\|ar\/NAME, was given nothing/,
  });
  t.match(await rollout('pause app-6 --why x'), { code: 1, err: /no flag "--why": there are --reason/ });
  t.match(await rollout('stop'), { code: 1, err: /no command "stop": there are plan, rehearse, status/ });
  t.match(await rollout('explain nobody'), { code: 1, err: /no device "nobody": there are sim-0, sim-1/ });
  t.match(await rollout('status -o table'), {
    code: 1,
    err: /--output must be json, yaml, wide, is "table"/,
  });
  t.match(await rollout('status -w --timeout soon'), { code: 1, err: /--timeout must be a duration/ });
  t.match(await rollout('list --context other'), { code: 1, err: /no context "other": there are holdfast/ });
  for (const name of ['status', 'plan', 'explain', 'undo'])
    t.match(await rollout(`${name} --help`), {
      code: 0,
      out: /Usage: holdfast rollout .*\n[\s\S]*Examples:/,
    });
});

t.test('the real kubectl runs it as a plugin, with its own kubeconfig', async (t) => {
  const dir = t.testdir();
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  writeCommand(join(bin, 'kubectl-holdfast'), join(process.cwd(), 'hub/main.ts'), [], AS_PLUGIN);
  const kubectl = new Kubectl((await Kubectl.of('1.34', hub.kubeconfig, dir, 'default')).program, []);
  const env = {
    PATH: `${bin}${delimiter}${process.env['PATH']}`,
    KUBECONFIG: hub.kubeconfig,
    NODE_OPTIONS: '',
  };
  t.match(await kubectl.run('holdfast rollout status app-2', { env }), {
    code: 0,
    out: /^app-2: Superseded|^app-2: Succeeded/,
  });
  t.match(await kubectl.run('holdfast rollout status app-6', { env }), { code: 1, out: /^app-6: Aborted/ });
  t.match(await kubectl.run('holdfast rollout --help', { env }), {
    code: 0,
    out: /Usage: kubectl holdfast rollout/,
  });
  t.match(await kubectl.run('plugin list', { env }), { out: /kubectl-holdfast/ });
});

t.test('as a service account that may only look: token, context and namespace of a kubeconfig', async (t) => {
  const accounts = '/api/v1/namespaces/default/serviceaccounts';
  const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default';
  await hub.api.call('POST', accounts, { metadata: { name: 'viewer' } });
  await hub.api.call('POST', `${rbac}/roles`, {
    metadata: { name: 'viewer' },
    rules: [{ apiGroups: ['fleet.holdfast.dev'], resources: ['rollouts'], verbs: ['get', 'watch'] }],
  });
  await hub.api.call('POST', `${rbac}/rolebindings`, {
    metadata: { name: 'viewer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'viewer' },
    subjects: [{ kind: 'ServiceAccount', name: 'viewer', namespace: 'default' }],
  });
  const { status } = await hub.api.call<{ status: { token: string } }>('POST', `${accounts}/viewer/token`, {
    spec: {},
  });
  const config = load(readFileSync(hub.kubeconfig, 'utf8')) as { users: object[]; contexts: object[] };
  config.users.push({ name: 'viewer', user: { token: status.token } });
  config.contexts.push({
    name: 'looking',
    context: { cluster: 'holdfast', user: 'viewer', namespace: 'default' },
  });
  const file = join(t.testdir(), 'config');
  writeFileSync(file, dump(config));
  const viewer = (line: string) => holdfast.run(`rollout ${line} --kubeconfig ${file} --context looking`);
  t.match(await viewer('status app-2 --watch'), { code: 0 });
  t.match(await viewer('status ds/app'), { code: 1, err: /cannot list resource "rollouts"/ });
  const verbs = [{ op: 'add', path: '/rules/0/verbs/-', value: 'list' }];
  const asJsonPatch = { contentType: 'application/json-patch+json' };
  await hub.api.call('PATCH', `${rbac}/roles/viewer`, verbs, asJsonPatch);
  t.match(await viewer('undo app-9'), { code: 1, err: /cannot patch resource "rollouts"/ });
  t.match(await viewer('list -n other'), { code: 1, err: /cannot list resource "rollouts"/ });
});

t.test('nodes: list, show, label, cordon, drain', async (t) => {
  const node = (line: string) => holdfast.run(`node ${line}`);
  t.match(
    (await node('list')).out,
    /sim-0 +Ready +reachable +v\S+ +app-9 \w+.*\n[\s\S]*sim-9 +NotReady +dark \d+/,
  );
  t.match((await node('list -l site=s0')).out, /^NAME.*\nsim-0 [\s\S]*\nsim-8 /);
  t.match(await node('show sim-9'), { code: 0, out: /Class: +dark [\s\S]*ROLLOUT +WAVE[\s\S]*app-9/ });
  t.match(await node('label sim-1 sim-2 ring=canary'), { code: 0 });
  t.match(await node('label sim-1 ring=other'), { code: 1, err: /has ring=canary already: say --overwrite/ });
  t.match(await node('label -l ring=canary ring-'), { code: 0, out: /sim-1 labelled\n.*sim-2 labelled/ });
  t.match(await node('list -l ring=canary'), { code: 0, err: /there are no nodes/ });
  t.match(await node('label nobody a=b'), { code: 1, err: /no device "nobody": there are sim-0/ });
  const pod = {
    metadata: { name: 'own' },
    spec: { nodeName: 'sim-2', containers: [{ name: 'a', image: 'app:1' }] },
  };
  await hub.api.call('POST', '/api/v1/namespaces/default/pods', pod);
  t.match(await node('drain sim-2'), {
    code: 1,
    err: /no controller makes these pods again \(--force\): default\/own/,
  });
  t.match(await node('drain sim-2 --force --dry-run'), { code: 0, out: /default\/own would be evicted/ });
  const drained = await node('drain sim-2 --force --timeout 30s');
  t.match(
    drained,
    { code: 0, out: /cordoned\n[\s\S]*drained/, err: /pods of DaemonSets stay: default\/app-/ },
    drained.err,
  );
  t.equal(await hub.api.find('/api/v1/namespaces/default/pods/own'), undefined);
  t.match((await node('list sim-2')).out, /Ready,SchedulingDisabled/);
  t.match(await node('uncordon sim-2'), { code: 0, out: /uncordoned/ });
  t.notMatch((await node('list sim-2')).out, /SchedulingDisabled/);
});

t.test('a device that is revoked is refused, whatever certificate it has', async (t) => {
  const device = fleet.device('sim-3');
  await device.connected();
  t.match(await holdfast.run('node revoke -l site=s1'), {
    code: 1,
    err: /say --yes to revoke the access of sim-1/,
  });
  t.match(await holdfast.run('node revoke sim-3'), { code: 0, out: /sim-3 revoked/, err: /Keep the Node/ });
  await device.disconnected();
  await until('the hub knows', async () => (await isReady('sim-3')) === 'Unknown');
  t.match((await holdfast.run('node list sim-3')).out, /NotReady,Revoked +dark/);
  const other = fleet.device('sim-4');
  for (const each of [device, other]) {
    each.goDark();
    await each.disconnected();
    each.comeBack();
  }
  await other.connected();
  t.not(device.state, 'connected');
  t.not(await isReady('sim-3'), 'True');
  t.ok(
    device.containers.some(({ state }) => state === 'running'),
    'what runs there goes on running',
  );
});

t.test('the same words for a Deployment', async (t) => {
  const shop = (image: string) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'shop', annotations: { 'fleet.holdfast.dev/rollout-policy': 'quick' } },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'shop' } },
      template: {
        metadata: { labels: { app: 'shop' } },
        spec: { containers: [{ name: 'main', image }] },
      },
    },
  });
  await hub.api.call('POST', `${FLEET}/rolloutpolicies`, {
    metadata: { name: 'quick' },
    spec: { waves: [{ name: 'canary', limit: 1 }], gates: { health: { minHealthy: '300ms' } } },
  });
  await hub.api.call('POST', '/apis/apps/v1/namespaces/default/deployments', shop('app:1'));
  t.match(await rollout('status deploy/shop --watch --timeout 60s'), {
    code: 0,
    out: /at its first revision/,
  });
  const pods = async () =>
    (
      await hub.api.call<{ items: { spec: { nodeName?: string } }[] }>(
        'GET',
        '/api/v1/namespaces/default/pods?labelSelector=app%3Dshop',
      )
    ).items;
  await until(
    'its pods have nodes',
    async () => (await pods()).filter(({ spec }) => spec.nodeName).length === 3,
  );
  const { out, code } = await rollout('plan deploy/shop -f - -o json', dump(shop('app:2')));
  t.equal(code, 0);
  const planned = JSON.parse(out) as {
    kind: string;
    change: { rollout: string };
    waves: { devices: string[] }[];
  };
  t.match(planned, { kind: 'Deployment', change: { rollout: 'deploy-shop-2' } });
  t.equal(planned.waves.flatMap(({ devices }) => devices).length, 3, 'those that it runs on');
  await hub.api.call(
    'PATCH',
    '/apis/apps/v1/namespaces/default/deployments/shop',
    { spec: { template: shop('app:2').spec.template } },
    MERGE,
  );
  t.match(await rollout('status deploy/shop --watch --timeout 60s'), { code: 0 });
  t.match(
    (await rollout('status deploy/shop')).out,
    /deploy-shop-2: Succeeded\n {2}Deployment shop, revision 2, from 1/,
  );
  t.match((await rollout('list deploy/shop')).out, /^deploy-shop-2 +deploy\/shop +2 +Succeeded/m);
  const [canary = ''] = planned.waves[0]?.devices ?? [];
  t.match((await rollout(`explain ${canary} deploy/shop`)).out, /has revision 2 of shop since 20/);
  t.match(await rollout(`explain ${DARK} deploy/shop`), { code: 0, out: /runs no pod of Deployment shop/ });
  t.match((await rollout('history deploy/shop')).out, /^2 +deploy-shop-2 .*app:2 *\n1 +first .*app:1/m);
  t.match(await rollout('undo deploy/shop --to 1'), { code: 0, out: /goes to the template of revision 1/ });
  t.match(await rollout('status deploy/shop --watch --timeout 60s'), { code: 0 });
  t.match((await rollout('history deploy/shop')).out, /^3 +deploy-shop-3 +undo +Succeeded/m);
  await hub.api.call(
    'PATCH',
    '/apis/apps/v1/namespaces/default/deployments/shop',
    { spec: { paused: true, template: shop('app:3').spec.template } },
    MERGE,
  );
  t.match(await rollout('status deploy/shop --watch --timeout 60s'), {
    code: 1,
    err: /"shop" is paused, and its change is not on its way: kubectl rollout resume deploy\/shop/,
  });
  t.match(await rollout('status deploy/none'), { code: 1, err: /no Deployment "none".*there are shop/ });
});
