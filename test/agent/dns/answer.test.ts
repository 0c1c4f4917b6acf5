import t from 'tap';
import { answer, type Zone } from '../../../agent/dns/answer.ts';
import { endpointsOf, type LocalPod } from '../../../agent/dns/service-records.ts';
import type { Pod, Service } from '../../../agent/pod/pod.ts';
import { container, makePod } from '../builders.ts';

/* What names mean on a device, by Kubernetes' DNS specification. */

const service = (name: string, spec: Partial<Service['spec']> = {}, namespace = 'default'): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: {
    selector: { app: name },
    ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 'web' }],
    ...spec,
  },
});

const local = (ip: string, app: string, spec: Partial<Pod['spec']> = {}, ready = true): LocalPod => ({
  pod: makePod(
    { containers: [container('main', { ports: [{ name: 'web', containerPort: 8080 }] })], ...spec },
    { labels: { app, tier: 'front' } },
  ),
  status: { podIP: ip, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
});

const SERVICES = [
  service('web'),
  service('db', { clusterIP: 'None', ports: [{ port: 5432, targetPort: 5432 }] }),
  service('early', { publishNotReadyAddresses: true }),
  service('both', { selector: { app: 'web', tier: 'back' } }),
  service('idle'),
];
const PODS = [
  local('172.17.0.2', 'web'),
  local('172.17.0.3', 'web'),
  local('172.17.0.4', 'web', {}, false),
  local('172.17.0.5', 'db', { hostname: 'db-0', subdomain: 'db' }),
  local('172.17.0.6', 'db', { hostname: 'db-1', subdomain: 'another' }),
  local('fd00::7', 'db'),
  local('', 'web'),
  local('172.17.0.8', 'early', {}, false),
];
const zone: Zone = {
  service: (namespace, name) =>
    SERVICES.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace),
  endpoints: (found) => endpointsOf(found, PODS),
};

const said = (name: string, type = 'A'): string => {
  const { result, records } = answer(name, type, zone);
  const texts = records.map((record) =>
    record.type === 'SRV' ? `${record.port} ${record.target}` : record.address,
  );
  return [result, ...texts].join(' ');
};

t.test('names', async (t) => {
  const rows: [string, string, string][] = [
    ['web.default.svc.cluster.local', 'A', 'found 172.17.0.2 172.17.0.3'],
    ['web.default.svc.cluster.local.', 'A', 'found 172.17.0.2 172.17.0.3'],
    ['WEB.Default.SVC.cluster.local', 'A', 'found 172.17.0.2 172.17.0.3'],
    ['web.default.svc', 'A', 'found 172.17.0.2 172.17.0.3'],
    ['web.default', 'A', 'found 172.17.0.2 172.17.0.3'],
    ['web.default.svc.cluster.local', 'AAAA', 'found'],
    ['web.default.svc.cluster.local', 'MX', 'found'],
    ['db.default.svc.cluster.local', 'AAAA', 'found fd00::7'],
    ['early.default', 'A', 'found 172.17.0.8'],
    ['idle.default.svc.cluster.local', 'A', 'found'],
    ['both.default.svc.cluster.local', 'A', 'found'],
    ['web.other.svc.cluster.local', 'A', 'no-such-name'],
    ['nothing.default.svc.cluster.local', 'A', 'no-such-name'],
    ['default.svc.cluster.local', 'A', 'no-such-name'],
    ['web.default.pod.cluster.local', 'A', 'no-such-name'],
    ['cluster.local', 'A', 'found'],
    ['svc.cluster.local', 'A', 'found'],
    ['web.other', 'A', 'refused'],
    ['web', 'A', 'refused'],
    ['example.com', 'A', 'refused'],
    ['xcluster.local', 'A', 'refused'],
    ['2.0.17.172.in-addr.arpa', 'PTR', 'refused'],
    ['', 'A', 'refused'],
  ];
  for (const [name, type, wanted] of rows) t.equal(said(name, type), wanted, `${type} ${name}`);
});

t.test('the pods of a Service by name', async (t) => {
  t.equal(said('db-0.db.default.svc.cluster.local'), 'found 172.17.0.5');
  t.equal(said('db-1.db.default.svc.cluster.local'), 'no-such-name', 'its subdomain is another');
  t.equal(said('172-17-0-6.db.default.svc.cluster.local'), 'found 172.17.0.6');
  t.equal(said('fd00--7.db.default.svc.cluster.local', 'AAAA'), 'found fd00::7');
  t.equal(said('172-17-0-4.web.default.svc.cluster.local'), 'no-such-name', 'it is not ready');
});

t.test('ports', async (t) => {
  t.equal(
    said('_http._tcp.web.default.svc.cluster.local', 'SRV'),
    'found 8080 172-17-0-2.web.default.svc.cluster.local 8080 172-17-0-3.web.default.svc.cluster.local',
  );
  t.equal(said('_http._tcp.web.default.svc.cluster.local', 'A'), 'found');
  t.equal(said('_http._udp.web.default.svc.cluster.local', 'SRV'), 'no-such-name');
  t.equal(said('_https._tcp.web.default.svc.cluster.local', 'SRV'), 'no-such-name');
  t.equal(said('x._http._tcp.web.default.svc.cluster.local', 'SRV'), 'no-such-name');
});

t.test('a port that the pod does not name leads nowhere', async (t) => {
  const unnamed: LocalPod = { ...local('172.17.0.9', 'web'), pod: makePod({}, { labels: { app: 'web' } }) };
  t.same(endpointsOf(service('web'), [unnamed]), [{ ip: '172.17.0.9', hostname: undefined, ports: [] }]);
  const [endpoint] = endpointsOf(service('web', { ports: [{ port: 81 }] }), [unnamed]);
  t.same(endpoint?.ports, [{ name: '', protocol: 'TCP', number: 81 }]);
});
