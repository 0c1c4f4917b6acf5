import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Fleet } from '../../scripts/fleet-sim/fleet.ts';
import { Holdfast } from '../support/holdfast.ts';
import { startHubInProcess } from '../support/hub-in-process.ts';
import { Program } from '../support/program.ts';
import { until } from '../support/until.ts';

/* A change is rehearsed with the real fleet's labels; here that fleet is simulated as well. */

const SIZE = 6;
const FLEET = '/apis/fleet.holdfast.dev/v1/namespaces/default';
const APPS = '/apis/apps/v1/namespaces/default';
const SETS = `${APPS}/daemonsets`;

const hub = await startHubInProcess('--node-monitor-grace-period', '2');
const fleet = await Fleet.start({
  hub: { host: '127.0.0.1', port: hub.ports.grpc },
  token: await hub.token(SIZE),
  kubeconfig: hub.kubeconfig,
  namePrefix: 'press-',
  size: SIZE,
  transport: 'grpc',
  scenario: {
    labels: { site: { prefix: 's', count: 2 } },
    groups: [{ name: 'dark', devices: [5], dark: [{ fromMs: 0 }] }],
  },
});
t.teardown(async () => {
  await fleet.close();
  await hub.close();
});
const holdfast = new Holdfast(hub.kubeconfig);
const policy = (onFail: string) => ({
  waves: [{ name: 'south', selector: { matchLabels: { site: 's1' } }, approve: 'manual', bake: '2h' }],
  gates: { health: { minHealthy: '300ms', maxRestarts: 0, minAttempted: 1 } },
  onFail,
});
await hub.api.call('POST', `${FLEET}/rolloutpolicies`, {
  metadata: { name: 'careful' },
  spec: policy('pause'),
});
await hub.api.call('POST', SETS, {
  metadata: { name: 'app', annotations: { 'fleet.holdfast.dev/rollout-policy': 'careful' } },
  spec: {
    selector: { matchLabels: { app: 'app' } },
    template: {
      metadata: { labels: { app: 'app' } },
      spec: {
        containers: [
          {
            name: 'main',
            image: 'app:1',
            env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'not-there', key: 'x' } } }],
            readinessProbe: { httpGet: { path: '/', port: 80 } },
          },
        ],
      },
    },
  },
});
await hub.api.call(
  'PATCH',
  '/api/v1/nodes/press-0',
  { spec: { taints: [{ key: 'mine', effect: 'NoSchedule' }] } },
  { contentType: 'application/merge-patch+json' },
);
await until('the dark one is known to be', async () => {
  const { status } = await hub.api.call<{ status?: { conditions?: { type: string; status: string }[] } }>(
    'GET',
    '/api/v1/nodes/press-5',
  );
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'Unknown';
});

/** What rehearsals have left: their directories, and processes that name one. */
function leftOvers(): string[] {
  const isOne = (text: string) => text.includes('holdfast-rehearsal-');
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const commands = processes.flatMap((pid) => {
    try {
      return [readFileSync(join('/proc', pid, 'cmdline'), 'utf8')];
    } catch {
      return []; // it has ended
    }
  });
  return [...readdirSync(tmpdir()), ...commands].filter(isOne);
}

const realState = async () => ({
  set: await hub.api.call('GET', `${SETS}/app`),
  rollouts: (await hub.api.call<{ items: unknown[] }>('GET', `${FLEET}/rollouts`)).items,
  nodes: (await hub.api.call<{ items: unknown[] }>('GET', '/api/v1/nodes')).items.length,
});

t.test('a good change: waves of the real labels, and nothing is left or touched', async (t) => {
  const before = await realState();
  const { code, out, err } = await holdfast.run('rollout rehearse app --image main=app:2');
  t.equal(code, 0, err);
  t.match(out, /5 devices join it/, 'not the one whose taint keeps the DaemonSet away');
  t.match(out, /app on 5 simulated devices: Succeeded after/);
  t.match(out, /south +Done +3 +2 +0 +0 +1 +[\d.]+s/, 'the dark one is dark');
  t.match(out, /rest +Done +2 +2 +0 +0 +0 /);
  t.match(
    out,
    /Note: waves are approved at once: south\nNote: waves do not bake: south 2h\nNote: probes by HTTP/,
  );
  t.same(await realState(), before);
  t.same(leftOvers(), []);
});

t.test('a bad one ends with 1, and says which real devices refused it and why', async (t) => {
  const file = join(t.testdir(), 'scenario.json');
  writeFileSync(file, JSON.stringify({ images: { 'app:bad': { exit: { afterMs: 10, code: 3 } } } }));
  const { code, out, err } = await holdfast.run(
    `rollout rehearse ds/app --image main=app:bad --scenario ${file} -o json`,
  );
  t.equal(code, 1, err);
  const report = JSON.parse(out);
  t.match(report, {
    phase: 'Paused',
    devices: 5,
    waves: [
      { name: 'south', phase: 'Progressing' },
      { name: 'rest', succeeded: 0 },
    ],
  });
  t.match(report.failures[0], { node: /^press-[13]$/, wave: 'south', why: /Rejected/ });
  t.match(err, /the present revision runs; the change begins/);
  t.same(leftOvers(), []);
});

t.test('a Deployment: each device has the pods that it has, and they are changed there', async (t) => {
  const spec = (image: string) => ({
    selector: { matchLabels: { app: 'shop' } },
    template: {
      metadata: { labels: { app: 'shop' } },
      spec: { nodeSelector: { site: 's1' }, containers: [{ name: 'main', image }] },
    },
  });
  const annotations = { 'fleet.holdfast.dev/rollout-policy': 'careful' };
  await hub.api.call('POST', `${APPS}/deployments`, {
    metadata: { name: 'shop', annotations },
    spec: { replicas: 5, ...spec('shop:1') },
  });
  const places = async () => {
    const path = '/api/v1/namespaces/default/pods?labelSelector=app%3Dshop';
    const { items } = await hub.api.call<{ items: { spec: { nodeName?: string } }[] }>('GET', path);
    return items.map((pod) => pod.spec.nodeName).filter((node) => node !== undefined);
  };
  await until('its pods have devices', async () => (await places()).length === 5);
  const before = (await places()).toSorted();
  t.same([...new Set(before)], ['press-1', 'press-3'], 'one of the others is dark');

  const good = await holdfast.run('rollout rehearse deploy/shop --image main=shop:2 -o json');
  t.equal(good.code, 0, good.err);
  t.match(JSON.parse(good.out), {
    workload: 'shop',
    devices: 2,
    phase: 'Succeeded',
    waves: [
      { name: 'south', devices: 2, succeeded: 2 },
      { name: 'rest', devices: 0 },
    ],
    failures: [],
  });
  t.match(good.err, /deploy-shop-2: Progressing/);

  const file = join(t.testdir(), 'scenario.json');
  writeFileSync(file, JSON.stringify({ images: { 'shop:bad': { exit: { afterMs: 10, code: 3 } } } }));
  const bad = await holdfast.run(
    `rollout rehearse deploy/shop --image main=shop:bad --scenario ${file} -o json`,
  );
  t.equal(bad.code, 1, bad.err);
  t.match(JSON.parse(bad.out).failures[0], { node: /^press-[13]$/, wave: 'south', why: /Rejected/ });
  t.same((await places()).toSorted(), before, 'the real ones are where they were');
  t.same(leftOvers(), []);
});

t.test('one that is interrupted leaves nothing either', async (t) => {
  const program = new Program('hub/main.ts', ['rollout', 'rehearse', 'app', '--kubeconfig', hub.kubeconfig]);
  await program.line(/devices join it/);
  t.equal(await program.end('SIGTERM'), 1);
  t.match(program.lines.at(-1), /interrupted/);
  t.same(leftOvers(), []);
});

t.test('one that is killed takes its hub and devices with it, and the next removes its files', async (t) => {
  const program = new Program('hub/main.ts', ['rollout', 'rehearse', 'app', '--kubeconfig', hub.kubeconfig]);
  await until('its hub runs', () => leftOvers().some((text) => text.includes('fleet-sim')));
  await program.end('SIGKILL');
  const processes = () => leftOvers().filter((text) => text.includes('\0'));
  await until('nothing of it runs', () => processes().length === 0);
  t.not(leftOvers().length, 0, 'its files are there');
  const { code, err } = await holdfast.run('rollout rehearse app --image main=app:2');
  t.equal(code, 0, err);
  t.same(leftOvers(), []);
});

t.test('what is wrong, and what takes too long', async (t) => {
  const annotations = { 'fleet.holdfast.dev/rollout-policy': 'careful' };
  const labels = { app: 'idle' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'idle:1' }] } };
  await hub.api.call('POST', `${APPS}/deployments`, {
    metadata: { name: 'idle', annotations },
    spec: { replicas: 0, selector: { matchLabels: labels }, template },
  });
  const rows: [string, number, RegExp][] = [
    ['deploy/app', 1, /no Deployment "app"/],
    ['deploy/idle', 1, /no device has a pod of Deployment "idle": there is nobody to rehearse with/],
    ['nobody', 1, /no DaemonSet "nobody"/],
    ['app --devices 5000', 1, /--devices must be at most 2000/],
    ['app --scenario none.json', 1, /read the scenario "none\.json"/],
    ['app --image other=app:2', 1, /no container "other"/],
    ['app --timeout 1500ms', 2, /timed out/],
  ];
  for (const [line, code, err] of rows)
    t.match(await holdfast.run(`rollout rehearse ${line}`), { code, err }, line);
  const wrong = join(t.testdir(), 'wrong.json');
  writeFileSync(wrong, JSON.stringify({ all: { dork: 1 } }));
  t.match(await holdfast.run(`rollout rehearse app --scenario ${wrong}`), {
    code: 1,
    err: /scenario\.all\.dork is not known/,
  });
  t.same(leftOvers(), []);
});
