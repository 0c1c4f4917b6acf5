import t, { type Test } from 'tap';
import { Engine } from '../support/engine.ts';
import { makeAppImages } from '../support/images.ts';
import { Kubectl } from '../support/kubectl.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* `kubectl top` and what it asks: what devices and containers use, measured when somebody asks. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const METRICS = '/apis/metrics.k8s.io/v1beta1';

/** A loop that takes all it is given. */
const BURN = shell('while :; do :; done');
/** Leaves a file of 32 MiB in the cache. */
const WRITE = shell('dd if=/dev/zero of=/written bs=1M count=32 2>/dev/null; while :; do sleep 1000; done');

function rowsOf(table: string): string[][] {
  return table
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ +/));
}

function milli(text: string | undefined): number {
  const [, number = '', suffix] = /^(\d+)([num]?)$/.exec(text ?? '') ?? [];
  return Number(number || Number.NaN) / ({ n: 1e6, u: 1e3, m: 1 }[suffix ?? ''] ?? 1e-3);
}

function isAround(t: Test, value: number, [least, most]: readonly [number, number], what: string): void {
  t.ok(value >= least && value <= most, `${what}: ${value} is within ${least} and ${most}`);
}

for (const transport of ['mqtt', 'grpc'] as const) {
  t.test(`over ${transport}`, async (t) => {
    const node = `device-top-${transport}`;
    const stand = new Stand(engine, transport, node);
    const pods = new SeenPods(stand);
    t.teardown(() => stand.close());
    await makeAppImages(engine, [1]);
    await stand.start();
    const away = await stand.addDevice(`${node}-away`);
    const limits = { cpu: '100m' };
    const burning = podOf('burn', {
      main: { command: BURN, resources: { limits, requests: limits } },
      beside: {},
    });
    await stand.apply(
      listOf(
        { ...burning, metadata: { ...burning.metadata, labels: { app: 'burn' } } },
        podOf('sleep', { main: { command: WRITE } }, { nodeName: node }),
        podOf('ended', { main: { command: shell('exit 0') } }, { restartPolicy: 'Never' }),
      ),
    );
    await pods.ready('burn');
    await pods.ready('sleep');
    await pods.phase('ended', 'Succeeded');
    const burnsOn = (await pods.get('burn')).spec?.nodeName ?? '';
    const clients = await Promise.all(
      (['1.34', '1.35'] as const).map((version) =>
        Kubectl.of(version, stand.kubeconfig, stand.dir, 'default'),
      ),
    );
    const [kubectl] = clients as [Kubectl, Kubectl];

    t.test('pods and containers', async (t) => {
      for (const each of clients) {
        const top = async () => rowsOf((await each.run('top pod --containers --no-headers')).out);
        const of = (rows: string[][], pod: string, container: string) =>
          milli(rows.find((row) => row[0] === pod && row[1] === container)?.[2]);
        const rows = await until('what burns has had all that its limit lets it have', async () => {
          const found = await top(); // on a busy machine it may get less for a while
          return of(found, 'burn', 'main') >= 80 ? found : undefined;
        });
        t.same(
          rows.map(([pod, container]) => `${pod}/${container}`),
          ['burn/beside', 'burn/main', 'sleep/main'],
        );
        isAround(t, of(rows, 'burn', 'main'), [80, 130], 'what burns');
        isAround(t, of(rows, 'burn', 'beside'), [0, 20], 'what sleeps beside it');
        isAround(t, of(rows, 'sleep', 'main'), [0, 20], 'what sleeps');
      }
      const sorted = rowsOf((await kubectl.run('top pod -A --sort-by=cpu --no-headers')).out);
      t.same(
        sorted.map(([, pod]) => pod),
        ['burn', 'sleep'],
      );
      const selected = rowsOf((await kubectl.run('top pod -l app=burn --no-headers')).out);
      t.same(
        selected.map(([pod]) => pod),
        ['burn'],
      );
      const named = rowsOf((await kubectl.run('top pod sleep')).out);
      t.match(named, [
        ['NAME', 'CPU(cores)', 'MEMORY(bytes)'],
        ['sleep', /^\d+m$/, /^\d+Mi$/],
      ]);
      const byField = rowsOf(
        (await kubectl.run('top pod --field-selector=metadata.name=sleep --no-headers')).out,
      );
      t.same(
        byField.map(([pod]) => pod),
        ['sleep'],
      );
    });

    t.test('nodes', async (t) => {
      for (const each of clients) {
        const rows = rowsOf((await each.run('top node')).out);
        t.match(rows[0], ['NAME', 'CPU(cores)']);
        t.same(
          rows
            .slice(1)
            .map(([name]) => name)
            .sort(),
          [node, `${node}-away`],
        );
        for (const [, cpu, , memory] of rows.slice(1)) {
          isAround(t, milli(cpu), [50, 1000 * (await engine.docker.info()).NCPU], 'the device');
          t.match(memory, /^\d{3,}Mi$/);
        }
      }
    });

    t.test('as objects and as tables', async (t) => {
      const before = Date.now();
      const found = JSON.parse((await kubectl.run(`get --raw ${METRICS}/namespaces/default/pods/burn`)).out);
      t.match(found, {
        kind: 'PodMetrics',
        apiVersion: 'metrics.k8s.io/v1beta1',
        metadata: { name: 'burn', namespace: 'default', labels: { app: 'burn' } },
        window: /^[0-9.]+s$/,
        containers: [{ usage: { cpu: /^\d+[num]?$/, memory: /^\d+(Ki|Mi)?$/ } }, {}],
      });
      isAround(t, Date.parse(found.timestamp) - before, [-12_000, 12_000], 'the time of the measurement');
      isAround(t, Number.parseFloat(found.window), [1, 70], 'the window');
      const table = rowsOf((await kubectl.run('get pods.metrics.k8s.io')).out);
      t.match(table, [
        ['NAME', 'CPU', 'MEMORY', 'WINDOW'],
        ['burn', /^\d+[num]$/, /^\d+/, /s$/],
        ['sleep', /^\d+[num]?$/, /^\d+/, /s$/],
      ]);
      const nodes = rowsOf((await kubectl.run('get nodes.metrics.k8s.io --no-headers')).out);
      t.same(
        nodes.map(([name]) => name),
        [node, `${node}-away`],
      );
      const missing = await kubectl.run('get nodes.metrics.k8s.io none');
      t.equal(missing.err, 'Error from server (NotFound): nodemetrics.metrics.k8s.io "none" not found\n');
      const ended = await kubectl.run('get pods.metrics.k8s.io ended');
      t.match(ended.err, /podmetrics\.metrics\.k8s\.io "default\/ended" not found/);
    });

    t.test('cache that nobody uses is no part of the working set', async (t) => {
      const of = async () => {
        const { containers } = (await stand.api.call('GET', `${METRICS}/namespaces/default/pods/sleep`)) as {
          containers: { usage: { memory: string } }[];
        };
        return Number(/^(\d+)Ki$/.exec(containers[0]?.usage.memory ?? '')?.[1]) / 1024;
      };
      isAround(t, await of(), [0, 16], 'MiB of a container that has written 32 MiB');
    });

    t.test('a device that is away has no metrics', async (t) => {
      const said = stand.hub.lines.length;
      await away.end('SIGKILL');
      await stand.hub.line(/node disconnected/, said);
      const rows = rowsOf((await kubectl.run('top node --no-headers')).out);
      t.match(rows.find(([name]) => name === node)?.[1], /^\d+m$/);
      t.match(rows.find(([name]) => name === `${node}-away`)?.[1], /unknown/);
      const { err } = await kubectl.run(`top node ${node}-away`);
      t.match(err, new RegExp(`nodemetrics\\.metrics\\.k8s\\.io "${node}-away" not found`));
      const left = burnsOn === node ? ['burn', 'sleep'] : ['sleep'];
      t.same(
        rowsOf((await kubectl.run('top pod --no-headers')).out).map(([pod]) => pod),
        left,
      );
    });

    t.test('what a namespace lets one see', async (t) => {
      await stand.kubectl('create', 'rolebinding', 'seer', '--clusterrole=view', '--user=ann');
      t.match((await kubectl.run('top pod --no-headers --as=ann')).out, /^sleep /m);
      t.match((await kubectl.run('top node --as=ann')).err, /nodes\.metrics\.k8s\.io is forbidden/);
      t.match((await kubectl.run('top pod -A --as=ann')).err, /pods\.metrics\.k8s\.io is forbidden/);
    });
  });
}
