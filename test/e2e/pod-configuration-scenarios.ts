import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Test } from 'tap';
import type { Engine } from '../support/engine.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';

/* Names, variables, files about names, and terminals, as the kubelet gives them to containers; docs/pods.md names them. */

const object = (kind: string, name: string, rest: object) => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'default' },
  ...rest,
});
const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
const resource = (name: string, of: string, divisor = '1', rest: object = {}) => ({
  name,
  valueFrom: { resourceFieldRef: { resource: of, divisor, ...rest } },
});

const hostAliases = [
  { ip: '192.0.2.7', hostnames: ['a.example', 'b.example'] },
  { ip: '192.0.2.8', hostnames: ['c.example'] },
];
const named = podOf('named', { main: {} }, { hostname: 'db-0', subdomain: 'db', hostAliases });
const shared = podOf(
  'shared',
  { main: {}, other: {} },
  { hostname: 'two', subdomain: 'db', setHostnameAsFQDN: true, hostAliases },
);
const onHost = podOf(
  'on-host',
  { main: {} },
  { hostNetwork: true, hostAliases, dnsPolicy: 'ClusterFirstWithHostNet' },
);
const longName = `long-${'x'.repeat(60)}`;
const tooLong = podOf(
  'too-long',
  { main: {} },
  { hostname: 'y'.repeat(60), subdomain: 'db', setHostnameAsFQDN: true },
);

const asks = (name: string, dnsPolicy: string, dnsConfig: object | undefined = undefined) =>
  podOf(name, { main: {} }, { dnsPolicy, ...(dnsConfig && { dnsConfig }) });

const speaking = podOf(
  'speaking',
  {
    main: {
      envFrom: [
        { configMapRef: { name: 'settings' }, prefix: 'S_' },
        { secretRef: { name: 'none', optional: true } },
      ],
      env: [
        { name: 'FIRST', value: 'one' },
        { name: 'SECOND', value: '$(FIRST)-$(S_1st.key)-$$(FIRST)-$(LATER)' },
        { name: 'LATER', value: 'x' },
        { name: 'S_color', value: 'own' },
        { name: 'RAW', valueFrom: { secretKeyRef: { name: 'raw', key: 'text' } } },
        { name: 'SHOP', value: 'http://$(SHOP_SERVICE_HOST):$(SHOP_SERVICE_PORT_HTTP)' },
        field('IPS', 'status.podIPs'),
        field('HOST_IPS', 'status.hostIPs'),
        field('ACCOUNT', 'spec.serviceAccountName'),
        resource('ALL_CPUS', 'limits.cpu'),
        resource('ALL_MEMORY', 'limits.memory', '1Mi'),
        resource('NO_REQUEST', 'requests.memory'),
        resource('OF_OTHER', 'limits.cpu', '1m', { containerName: 'other' }),
      ],
    },
    other: { resources: { limits: { cpu: '150m' } }, workingDir: '/www', command: shell(`pwd; ${WORK}`) },
    terminal: { tty: true, stdin: true, command: shell(`test -t 0 && test -t 1 && echo terminal; ${WORK}`) },
  },
  { terminationGracePeriodSeconds: 0 },
);
const unlinked = podOf('unlinked', { main: {} }, { enableServiceLinks: false });

export async function podConfiguration(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'mqtt', 'device-configuration');
  const pods = new SeenPods(stand);
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  const labelled = (pod: { metadata: object }) => ({
    ...pod,
    metadata: { ...pod.metadata, labels: { app: 'shop' } },
  });
  const ports = [
    { name: 'http', port: 80, targetPort: 8080 },
    { name: 'dns', port: 53, protocol: 'UDP' },
  ];
  await stand.apply(
    listOf(
      object('ConfigMap', 'settings', { data: { color: 'red', '1st.key': 'first' } }),
      object('Secret', 'raw', { stringData: { text: '$$(FIRST) $(FIRST)' } }),
      object('Service', 'shop', { spec: { selector: { app: 'shop' }, ports } }),
      ...[named, shared, onHost, tooLong, labelled(speaking), labelled(unlinked)],
      podOf(longName, { main: {} }),
      asks('of-cluster', 'ClusterFirst'),
      asks('of-device', 'Default'),
      asks('of-none', 'None', {
        nameservers: ['192.0.2.53'],
        searches: ['x.example'],
        options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
      }),
      asks('of-both', 'ClusterFirst', {
        searches: ['more.example'],
        options: [{ name: 'ndots', value: '1' }],
      }),
    ),
  );
  const sh = (pod: string, script: string, container = 'main') =>
    pods.exec(pod, container, 'sh', '-c', script);

  await t.test('host names', async (t) => {
    for (const name of ['named', 'shared', 'on-host', longName]) await pods.ready(name);
    t.equal(
      await sh('named', 'busybox hostname; busybox hostname -f'),
      'db-0\ndb-0.db.default.svc.cluster.local',
    );
    for (const container of ['main', 'other'])
      t.equal(await sh('shared', 'busybox hostname', container), 'two.db.default.svc.cluster.local');
    t.equal(await sh('on-host', 'busybox hostname'), hostname(), 'the device’s own');
    t.equal(await sh(longName, 'busybox hostname'), longName.slice(0, 63));
    const { state } = await pods.when('it is refused', 'too-long', ({ state }) => state?.waiting?.message);
    t.match(
      state?.waiting?.message,
      /FQDN y+.db.default.svc.cluster.local is too long \(64 characters is the max, 89 characters requested\)/,
    );
  });

  await t.test('/etc/hosts', async (t) => {
    for (const [pod, container] of [
      ['named', 'main'],
      ['shared', 'main'],
      ['shared', 'other'],
      ['on-host', 'main'],
    ] as const) {
      const text = await sh(pod, 'cat /etc/hosts', container);
      t.match(text, /^192\.0\.2\.7\s+a\.example/m, `${pod} ${container}`);
      t.match(text, /^192\.0\.2\.7\s+.*b\.example/m);
      t.match(text, /^192\.0\.2\.8\s+c\.example/m);
      t.match(text, /^127\.0\.0\.1\s+localhost/m);
    }
    const { status } = await pods.get('named');
    t.match(await sh('named', 'cat /etc/hosts'), /^# Kubernetes-managed hosts file\.$/m);
    t.match(
      await sh('named', 'cat /etc/hosts'),
      new RegExp(`^${status?.podIP}\\s+db-0.db.default.svc.cluster.local\\s+db-0`, 'm'),
    );
    t.ok(
      (await sh('on-host', 'cat /etc/hosts')).includes(readFileSync('/etc/hosts', 'utf8').trim()),
      'with what the device knows',
    );
  });

  await t.test('/etc/resolv.conf', async (t) => {
    const lines = async (pod: string) => {
      await pods.ready(pod);
      const words = (await sh(pod, 'cat /etc/resolv.conf')).split('\n').map((line) => line.trim());
      return (key: string) =>
        words.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1));
    };
    const ofCluster = await lines('of-cluster');
    const cluster = 'default.svc.cluster.local svc.cluster.local cluster.local';
    t.match(ofCluster('search')[0], cluster);
    t.same(ofCluster('options'), ['ndots:5']);
    const ofDevice = await lines('of-device');
    t.notMatch(ofDevice('search')[0] ?? '', 'cluster.local');
    t.notMatch(ofDevice('options')[0] ?? '', 'ndots:5');
    const ofNone = await lines('of-none');
    t.same(ofNone('nameserver'), ['192.0.2.53']);
    t.same(ofNone('search'), ['x.example']);
    t.same(ofNone('options'), ['ndots:2 edns0']);
    const ofBoth = await lines('of-both');
    t.match(ofBoth('search')[0], `${cluster}`);
    t.match(ofBoth('search')[0], 'more.example');
    t.same(ofBoth('options'), ['ndots:1'], 'the pod’s own counts');
    t.match((await lines('on-host'))('search')[0], cluster, 'ClusterFirstWithHostNet');
  });

  await t.test('variables', async (t) => {
    await pods.ready('speaking');
    const lines = (await pods.exec('speaking', 'main', 'busybox', 'env')).split('\n');
    const env = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    const { status } = await pods.get('speaking');
    const { allocatable } = JSON.parse(
      await stand.kubectl('get', 'node', stand.node, '-o', 'jsonpath={.status}'),
    );
    const clusterIP = await stand.kubectl('get', 'service', 'shop', '-o', 'jsonpath={.spec.clusterIP}');
    t.match(env, {
      SECOND: 'one-first-$(FIRST)-$(LATER)',
      S_color: 'own',
      'S_1st.key': 'first',
      RAW: '$$(FIRST) $(FIRST)',
      SHOP: `http://${clusterIP}:80`,
      SHOP_SERVICE_HOST: clusterIP,
      SHOP_SERVICE_PORT: '80',
      SHOP_SERVICE_PORT_DNS: '53',
      SHOP_PORT_53_UDP: `udp://${clusterIP}:53`,
      SHOP_PORT_80_TCP_ADDR: clusterIP,
      KUBERNETES_SERVICE_PORT: `${stand.ports.api}`,
      IPS: status?.podIP,
      HOST_IPS: status?.hostIP,
      ACCOUNT: 'default',
      ALL_CPUS: `${Math.ceil(Number.parseInt(allocatable.cpu, 10) / 1000)}`, // in thousandths: the system keeps some
      ALL_MEMORY: `${Math.ceil(Number.parseInt(allocatable.memory, 10) / 1024)}`,
      NO_REQUEST: '0',
      OF_OTHER: '150',
    });
    await pods.ready('unlinked');
    const without = await pods.exec('unlinked', 'main', 'busybox', 'env');
    t.notMatch(without, 'SHOP_SERVICE_HOST');
    t.match(without, 'KUBERNETES_SERVICE_HOST', 'that one always');
  });

  await t.test('directory and terminal', async (t) => {
    t.equal(await stand.kubectl('logs', 'speaking', '-c', 'other'), '/www\n');
    t.match(await stand.kubectl('logs', 'speaking', '-c', 'terminal'), /^terminal\r?\n/);
  });
}
