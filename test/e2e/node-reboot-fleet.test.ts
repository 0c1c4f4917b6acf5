import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { readConnection } from '../../hub/cli/kubeconfig.ts';
import { Fleet } from '../../scripts/fleet-sim/fleet.ts';
import { Holdfast } from '../support/holdfast.ts';
import { startHubInProcess } from '../support/hub-in-process.ts';
import { Kubectl } from '../support/kubectl.ts';
import { until } from '../support/until.ts';

/* `holdfast node reboot` over many devices: a whole hub, a simulated fleet, the command as a process. */

const SIZE = 5;
const DARK = 'restart-4';

const hub = await startHubInProcess('--node-monitor-grace-period', '2');
const fleet = await Fleet.start({
  hub: { host: '127.0.0.1', port: hub.ports.grpc },
  token: await hub.token(SIZE),
  kubeconfig: hub.kubeconfig,
  size: SIZE,
  transport: 'mqtt',
  namePrefix: 'restart-',
  scenario: {
    labels: { site: { prefix: 's', count: 2 } },
    groups: [{ name: 'dark', devices: [4], dark: [{ fromMs: 0 }] }],
  },
});
t.teardown(async () => {
  await fleet.close();
  await hub.close();
});
const holdfast = new Holdfast(hub.kubeconfig);
const bootIds = async () => {
  const { items } = await hub.api.call<{
    items: { metadata: { name: string }; status?: { nodeInfo?: { bootID?: string } } }[];
  }>('GET', '/api/v1/nodes');
  return Object.fromEntries(items.map(({ metadata, status }) => [metadata.name, status?.nodeInfo?.bootID]));
};
await until('all that are there have reported', async () => {
  const ids = await bootIds();
  return fleet.devices.every(({ name }) => name === DARK || ids[name]);
});

t.test('one after the other, and without those who are away', async (t) => {
  const before = await bootIds();
  const { out, err, code } = await holdfast.run('node reboot -l site=s0 --timeout 30s');
  t.equal(code, 1, err);
  t.match(err, new RegExp(`^node ${DARK} is not asked: it is .*connected can be\n$`));
  const lines = out.trim().split('\n');
  t.equal(lines.length, 6);
  for (const [at, name] of ['restart-0', 'restart-2'].entries())
    t.match(lines.slice(at * 3, at * 3 + 3), [
      `node ${name} is asked to reboot`,
      `node ${name} reboots`,
      new RegExp(`^node ${name} is back after \\d+s$`),
    ]);
  const after = await bootIds();
  t.same(
    Object.keys(after).filter((name) => after[name] !== before[name]),
    ['restart-0', 'restart-2'],
  );
});

t.test('each is asked as it is when its turn comes', async (t) => {
  const { out, code } = await holdfast.run('node reboot restart-1 restart-1 --timeout 30s');
  t.equal(code, 0);
  t.equal(out.match(/ reboots\n/g)?.length, 1, 'one that is named twice is asked once');
  t.equal((await bootIds())['restart-1'], 'restart-1-2');
  t.equal((await holdfast.run('node reboot restart-1 --timeout 30s')).code, 0);
  t.equal((await bootIds())['restart-1'], 'restart-1-3', 'the first reboot is not taken for the second');
});

t.test('several at a time, only if that is meant', async (t) => {
  const names = 'restart-0 restart-1 restart-3';
  t.match(await holdfast.run(`node reboot ${names} --dry-run`), {
    code: 0,
    out: /^node restart-0 would be asked to reboot\n.*\n.*\n$/,
  });
  t.match(await holdfast.run(`node reboot ${names} --no-wait`), {
    code: 1,
    out: '',
    err: /would reboot 3 devices at the same time: say --parallel 3/,
  });
  const { out, code } = await holdfast.run(`node reboot ${names} --parallel 3 --timeout 30s`);
  t.equal(code, 0);
  t.equal(
    out.match(/is asked to reboot\n(?=(.|\n)*reboots)/g)?.length,
    3,
    'all were asked before one was back',
  );
  t.equal(out.match(/is back after/g)?.length, 3);
  const before = await bootIds();
  t.match(await holdfast.run('node reboot restart-1 --no-wait'), {
    code: 0,
    out: 'node restart-1 is asked to reboot\n',
  });
  await until('it was started anew', async () => (await bootIds())['restart-1'] !== before['restart-1']);
  t.match(await holdfast.run('node reboot restart-1 --timeout 0'), {
    code: 1,
    err: /--timeout must be above 0/,
  });
});

t.test('who may not change nodes may not reboot them', async (t) => {
  const admin = await Kubectl.of('1.35', hub.kubeconfig, dirname(hub.kubeconfig), 'default');
  for (const line of [
    'create serviceaccount looker',
    'create clusterrole looker --verb=get,list,watch --resource=nodes,events',
    'create clusterrolebinding looker --clusterrole=looker --serviceaccount=default:looker',
  ])
    t.match(await admin.run(line), { code: 0 });
  const token = (await admin.run('create token looker')).out.trim();
  const { server, tls } = readConnection(hub.kubeconfig);
  const file = join(dirname(hub.kubeconfig), 'looker.yaml');
  const ca = Buffer.from(String(tls.ca)).toString('base64');
  writeFileSync(
    file,
    JSON.stringify({
      'current-context': 'c',
      clusters: [{ name: 'c', cluster: { server: `${server}`, 'certificate-authority-data': ca } }],
      users: [{ name: 'u', user: { token } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
    }),
  );
  const before = await bootIds();
  t.match(await new Holdfast(file).run('node reboot restart-1'), {
    code: 1,
    out: '',
    err: /system:serviceaccount:default:looker" cannot patch resource "nodes"/,
  });
  t.same(await bootIds(), before);
});
