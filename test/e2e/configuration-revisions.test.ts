import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import type { RolloutObject } from '../../hub/fleet/rollout.ts';
import type { KubeObject } from '../../hub/resources/object.ts';
import type { DaemonSetObject, PodObject } from '../../hub/resources/typed.ts';
import { Fleet } from '../../scripts/fleet-sim/fleet.ts';
import { helmPath } from '../../scripts/kubectl.ts';
import { Holdfast } from '../support/holdfast.ts';
import { startHubInProcess } from '../support/hub-in-process.ts';
import { Kubectl } from '../support/kubectl.ts';
import { until } from '../support/until.ts';

/* Those who write workloads and ConfigMaps, as they are: kubectl in each of its ways, and Helm. None of them may meet the stamp. */

const SIZE = 3;
const FLEET = '/apis/fleet.holdfast.dev/v1/namespaces/default';
const STAMP = 'fleet.holdfast.dev/configuration';

const hub = await startHubInProcess();
const fleet = await Fleet.start({
  hub: { host: '127.0.0.1', port: hub.ports.grpc },
  token: await hub.token(SIZE),
  kubeconfig: hub.kubeconfig,
  size: SIZE,
  transport: 'grpc',
  scenario: {
    all: { createMs: [1, 5], startMs: [1, 10], stopMs: 2 },
    images: { 'app:*': { present: true } },
  },
  seed: 5,
});
t.teardown(async () => {
  await fleet.close();
  await hub.close();
});
const dir = t.testdir();
const kubectl = await Kubectl.of('1.35', hub.kubeconfig, dir, 'default');
const holdfast = new Holdfast(hub.kubeconfig);

const policy = {
  apiVersion: 'fleet.holdfast.dev/v1',
  kind: 'RolloutPolicy',
  metadata: { name: 'careful' },
  spec: {
    configuration: 'revisioned',
    waves: [{ name: 'canary', limit: 1 }],
    gates: { health: { minHealthy: '200ms', minAttempted: 1 } },
  },
};
const configMap = (name: string, text: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data: { text },
});
const workload = (kind: string, name: string, image = 'app:1') => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { name, annotations: { 'fleet.holdfast.dev/rollout-policy': 'careful' } },
  spec: {
    ...(kind === 'Deployment' && { replicas: 2 }),
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image, envFrom: [{ configMapRef: { name } }] }],
      },
    },
  },
});
const list = (...items: object[]) => JSON.stringify({ apiVersion: 'v1', kind: 'List', items });

async function run(line: string, input?: string, env: Record<string, string> = {}): Promise<string> {
  const { out, err, code } = await kubectl.run(line, { ...(input !== undefined && { input }), env });
  if (code !== 0) throw new Error(`kubectl ${line}: ${err}${out}`);
  return out;
}

/** What the live pods of an application read. */
async function texts(app: string): Promise<string> {
  const query = `labelSelector=${encodeURIComponent(`app=${app}`)}`;
  const { items } = await hub.api.call<{ items: PodObject[] }>(
    'GET',
    `/api/v1/namespaces/default/pods?${query}`,
  );
  const names = items
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .map(({ spec }) => spec.containers[0]?.envFrom?.[0]?.configMapRef?.name ?? '');
  const read = async (name: string) => {
    const found = await hub.api.find<KubeObject & { data: { text: string } }>(
      `/api/v1/namespaces/default/configmaps/${name}`,
    );
    return found?.data.text;
  };
  return [...new Set(await Promise.all(names.map(read)))].sort().join();
}

const readAll = (app: string, text: string) =>
  until(`all pods of ${app} read ${text}`, async () => (await texts(app)) === text);
const succeeds = (name: string) =>
  until(`rollout ${name} succeeds`, async () => {
    const found = await hub.api.find<RolloutObject>(`${FLEET}/rollouts/${name}`);
    return found?.status?.phase === 'Succeeded' ? found : undefined;
  });
const stampOf = async (kind: string, name: string) => {
  const found = await hub.api.call<DaemonSetObject>(
    'GET',
    `/apis/apps/v1/namespaces/default/${kind}s/${name}`,
  );
  return found.spec.template.metadata?.annotations?.[STAMP];
};

const all = (text: string) =>
  list(
    configMap('app', text),
    workload('DaemonSet', 'app'),
    configMap('web', text),
    workload('Deployment', 'web'),
  );

t.test('kubectl apply, diff, history, undo', async (t) => {
  await run('apply -f -', list(policy));
  await run('apply -f -', all('one'));
  await run('rollout status daemonset/app --timeout=60s');
  await run('rollout status deployment/web --timeout=60s');
  await Promise.all([readAll('app', 'one'), readAll('web', 'one')]);
  t.match(await stampOf('daemonset', 'app'), /^\{"ConfigMap\/app":"[a-z0-9]{10}"\}$/);
  t.equal(await run('diff -f -', all('one')), '', 'nothing to see');
  t.notMatch(await run('apply -f -', all('one')), /configured|created/);
  t.equal((await run('get controllerrevisions -o name')).trim().split('\n').length, 1);

  await run('apply -f -', all('two'));
  await Promise.all([succeeds('app-2'), succeeds('deploy-web-2')]);
  await Promise.all([readAll('app', 'two'), readAll('web', 'two')]);
  t.match(await run('rollout history daemonset/app'), /\n2 +ConfigMap\/app changed\n/);
  t.match(await run('rollout history deployment/web'), /\n2 +ConfigMap\/web changed\n/);
  t.match((await holdfast.run('rollout history ds/app')).out, /^2 +app-2 .*ConfigMap\/app changed/m);
  t.match(await run('describe daemonset/app'), /ConfigurationChanged .*ConfigMap\/app changed/);

  t.match(
    (await holdfast.run('rollout explain sim-0 ds/app')).out,
    /has revision 2 of app \(ConfigMap\/app changed\)/,
  );

  await run('rollout undo daemonset/app');
  await run('rollout undo deployment/web');
  await Promise.all([succeeds('app-3'), succeeds('deploy-web-3')]);
  await Promise.all([readAll('app', 'one'), readAll('web', 'one')]);
  t.equal(await run('diff -f -', all('two')), '', 'the ConfigMap is as it was written');
  t.notMatch(await run('apply -f -', all('two')), /configured|created/);
  t.equal(await texts('app'), 'one', 'to apply what is there changes nothing');
  t.match(
    (await holdfast.run('rollout plan app --image main=app:2')).out,
    /Warning: the next change takes ConfigMap\/app as it is live, which was undone/,
  );
  t.equal((await holdfast.run('rollout undo ds/app --to 2')).code, 0);
  await succeeds('app-4');
  await readAll('app', 'two');
});

t.test('kubectl edit, label, replace, restart', async (t) => {
  const before = await stampOf('daemonset', 'app');
  await run('edit daemonset/app', undefined, {
    KUBE_EDITOR: `sed -i s/revisionHistoryLimit:.*/revisionHistoryLimit:\\ 7/`,
  });
  t.match(await run("get daemonset/app -o jsonpath='{.spec.revisionHistoryLimit}'"), '7');
  await run('label daemonset/app team=x');
  await run('replace -f -', list(workload('DaemonSet', 'app')));
  await until('it is stamped again', async () => (await stampOf('daemonset', 'app')) === before);
  t.notOk(await hub.api.find(`${FLEET}/rollouts/app-5`), 'none of them made another revision');
  await run('rollout restart daemonset/app');
  await succeeds('app-5');
  await readAll('app', 'two');
});

t.test('server-side apply: no conflict, and the stamp stays', async (t) => {
  const manifest = (text: string, image: string) =>
    list(configMap('ssa', text), workload('DaemonSet', 'ssa', image));
  await run('apply --server-side -f -', manifest('one', 'app:1'));
  await readAll('ssa', 'one');
  await run('rollout status daemonset/ssa --timeout=60s'); // its status is compared as well
  t.equal(await run('diff --server-side -f -', manifest('one', 'app:1')), '');
  await run('apply --server-side -f -', manifest('one', 'app:1'));
  await run('apply --server-side -f -', manifest('two', 'app:2'));
  t.equal((await succeeds('ssa-2')).spec.to.number, 2, 'both are one revision');
  await readAll('ssa', 'two');
  const owner = "jsonpath='{.metadata.managedFields[*].manager}'";
  t.match(await run(`get daemonset/ssa --show-managed-fields -o ${owner}`), 'configuration-controller');
  await run('delete daemonset/ssa configmap/ssa');
  await until('the copies are gone', async () => !(await run('get configmaps -o name')).includes('ssa-'));
});

t.test('a quota that leaves no room for copies: told, and nothing changes until there is', async (t) => {
  const quota = (count: number) =>
    list({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'few' },
      spec: { hard: { 'count/configmaps': `${count}` } },
    });
  await run('apply -f -', quota(1));
  await run('apply -f -', list(configMap('app', 'three'), workload('DaemonSet', 'app', 'app:2')));
  await until('it is told', async () =>
    /ConfigurationNotCopied .*ConfigMap\/app cannot be copied .*exceeded quota: few/.test(
      await run('describe daemonset/app'),
    ),
  );
  t.match(
    (await kubectl.run('rollout status daemonset/app --timeout=1s')).code,
    1,
    'nobody is told that it is done',
  );
  t.equal(await texts('app'), 'two');
  t.notOk(await hub.api.find(`${FLEET}/rollouts/app-6`));
  const [pod = ''] = (await run('get pods -l app=app -o name')).trim().split('\n');
  await run(`delete ${pod} --grace-period=0 --force`);
  await until('what goes is made again, as it was', async () => {
    const names = (await run('get pods -l app=app -o name')).trim().split('\n');
    return names.length === SIZE && !names.includes(pod) && (await texts('app')) === 'two';
  });
  await run('apply -f -', quota(100));
  await succeeds('app-6');
  await run('rollout status daemonset/app --timeout=60s');
  await readAll('app', 'three');
});

t.test('helm install, upgrade, rollback', async (t) => {
  const program = await helmPath();
  const chart = join(dir, 'chart');
  mkdirSync(join(chart, 'templates'), { recursive: true });
  writeFileSync(join(chart, 'Chart.yaml'), 'apiVersion: v2\nname: app\nversion: 0.1.0\n');
  writeFileSync(
    join(chart, 'templates/all.yaml'),
    ['{{ .Values.text }}', '{{ .Values.image }}'].reduce(
      (text, value, index) => text.replaceAll(`VALUE${index}`, value),
      [configMap('helmed', 'VALUE0'), workload('DaemonSet', 'helmed', 'VALUE1')]
        .map((each) => JSON.stringify(each))
        .join('\n---\n'),
    ),
  );
  const helm = async (...args: string[]) => {
    const homes = { HELM_CACHE_HOME: dir, HELM_CONFIG_HOME: dir, HELM_DATA_HOME: dir };
    const env = { ...process.env, ...homes, KUBECONFIG: hub.kubeconfig };
    return (await promisify(execFile)(program, args, { env, timeout: 90_000 })).stdout;
  };
  const values = (text: string, image: string) => ['--set', `text=${text},image=${image}`];
  await helm('install', 'helmed', chart, ...values('one', 'app:1'));
  await readAll('helmed', 'one');
  await helm('upgrade', 'helmed', chart, ...values('two', 'app:2'));
  await succeeds('helmed-2');
  await readAll('helmed', 'two');
  await helm('upgrade', 'helmed', chart, ...values('three', 'app:2'));
  await succeeds('helmed-3');
  await readAll('helmed', 'three');
  await helm('rollback', 'helmed', '1');
  t.match(
    (await succeeds('helmed-4')).spec.type,
    'undo',
    'image and content of before: the revision of before',
  );
  await readAll('helmed', 'one');
  await helm('uninstall', 'helmed', '--wait');
  await until('the copies are gone', async () => !(await run('get configmaps -o name')).includes('helmed'));
});

t.test('explained', async (t) => {
  t.match(await run('explain rolloutpolicy.spec.configuration'), /live\W+revisioned[\s\S]*goes by waves/);
  t.match(
    await kubectl.run('apply -f -', { input: list({ ...policy, spec: { configuration: 'frozen' } }) }),
    {
      code: 1,
      err: /spec\.configuration: Unsupported value: "frozen": supported values: "live", "revisioned"/,
    },
  );
});
