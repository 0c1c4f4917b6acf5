import type { Test } from 'tap';
import type { Engine } from '../support/engine.ts';
import { appImage, makeAppImages } from '../support/images.ts';
import { shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Pods find each other by the names of Services, with and without the hub, whether the agent runs or not. */

const serving = (name: string, script: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app: name } },
  spec: {
    containers: [
      {
        name: 'main',
        image: appImage(1),
        command: shell(script),
        ports: [{ name: 'web', containerPort: 8080 }],
        readinessProbe: { httpGet: { path: '/', port: 'web' }, periodSeconds: 1 },
      },
    ],
    ...spec,
  },
});
const service = (name: string, spec: object = {}, namespace = 'default') => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { selector: { app: name }, ports: [{ port: 8080, targetPort: 'web' }], ...spec },
});
const SERVE =
  'mkdir -p /tmp/www; echo it is $HOSTNAME >/tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www';

export async function serviceNames(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'mqtt', 'device-names');
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();

  const inClient = async (...command: string[]) =>
    (await stand.kubectl('exec', 'client', '--', ...command)).trim();
  const fetched = (host: string) => inClient('wget', '-q', '-O', '-', `http://${host}:8080/`);
  const fetches = (host: string, wanted: string) =>
    until(`${host} is found`, async () => (await fetched(host).catch(() => '')) === wanted);
  const ready = (name: string) =>
    stand.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');

  // The device's own name servers cannot be reached from this engine's bridge: nobody waits for them long.
  const impatient = [
    { name: 'timeout', value: '1' },
    { name: 'attempts', value: '1' },
  ];
  await stand.apply(
    serving('client', '', {
      dnsConfig: { options: impatient },
      containers: [{ name: 'main', image: appImage(1), command: shell('exec sleep 3600') }],
    }),
  );
  await stand.apply(serving('web', SERVE));
  await Promise.all([ready('client'), ready('web')]);

  await t.test('a Service is found under each of its names, though it came last', async (t) => {
    await stand.apply(service('web'));
    await fetches('web', 'it is web');
    for (const host of ['web.default', 'web.default.svc', 'web.default.svc.cluster.local'])
      t.equal(await fetched(host), 'it is web', host);
    await t.rejects(fetched('nothing.default.svc.cluster.local'), /bad address/);
  });

  await t.test('what is not ready is not found', async (t) => {
    await stand.kubectl('exec', 'web', '--', 'rm', '/tmp/www/index.html');
    await stand.kubectl('wait', '--for=condition=Ready=false', 'pod/web', '--timeout=60s');
    await t.rejects(fetched('web'), /bad address/);
    await stand.kubectl('exec', 'web', '--', 'sh', '-c', 'echo again >/tmp/www/index.html');
    await fetches('web', 'again');
  });

  await t.test('without the hub, and after a restart of the agent', async (t) => {
    const [client] = (await engine.containers(stand.node)).filter(({ pod }) => pod === 'client');
    const alone = (host: string) =>
      engine.exec(client?.id ?? '', 'wget', '-q', '-O', '-', `http://${host}:8080/`);
    await stand.cutLink();
    t.equal(await alone('web'), 'again');
    await stand.agent.end('SIGKILL');
    await t.rejects(alone('web'), 'nobody answers');
    await stand.startAgent();
    const answered = async () => (await alone('web.default').catch(() => '')) === 'again';
    await until('names are answered again', answered);
    await stand.restoreLink();
    t.pass('they are');
  });

  await t.test('a Service that selects others, and one that goes', async (t) => {
    await stand.apply(serving('other', SERVE));
    await ready('other');
    await stand.apply(service('web', { selector: { app: 'other' } }));
    await fetches('web', 'it is other');
    await stand.kubectl('delete', 'service', 'web');
    await until('the name is gone', async () => (await fetched('web').catch(() => undefined)) === undefined);
    t.pass('it is');
  });

  await t.test('a pod that asks otherwise', async (t) => {
    const dnsConfig = {
      nameservers: ['192.0.2.7'],
      searches: ['site.example'],
      options: [{ name: 'ndots', value: '3' }],
    };
    await stand.apply(serving('own', SERVE, { dnsPolicy: 'None', dnsConfig }));
    await ready('own');
    const file = await stand.kubectl('exec', 'own', '--', 'cat', '/etc/resolv.conf');
    t.match(file, /^nameserver 192\.0\.2\.7$/m);
    t.match(file, /^search site\.example$/m);
    t.match(file, /^options ndots:3$/m);
  });
}
