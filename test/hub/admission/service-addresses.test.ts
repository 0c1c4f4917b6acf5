import t from 'tap';
import { admissionOf } from '../../../hub/admission/admission.ts';
import { Pool } from '../../../hub/admission/service-addresses/pool.ts';
import { familiesOf } from '../../../hub/admission/service-addresses/service-addresses.ts';
import { ServiceLedger } from '../../../hub/admission/service-addresses/service-ledger.ts';
import {
  addressAt,
  addressesProblem,
  indexOf,
  nodePortsProblem,
  parseServiceRanges,
} from '../../../hub/admission/service-addresses/service-ranges.ts';
import { startApiService } from '../../../hub/controllers/api-service/api-service.ts';
import { endpointSlices, services } from '../../../hub/resources/table-of-resources.ts';
import type { ServiceObject } from '../../../hub/resources/typed.ts';
import { Cluster, silent } from '../controllers/cluster.ts';
import { ALLOW_NOTHING, refusalOf, withPolicies } from './policies.ts';

const BY_TEST = { fieldManager: 'test' };
const port = (number: number, more: object = {}) => ({ name: `p${number}`, port: number, ...more });

type Options = Parameters<Awaited<ReturnType<typeof withPolicies>>['create']>[2];

/** The API's registry with policies, and short ways to write Services. */
async function withServices(
  t: Parameters<typeof withPolicies>[0],
  addresses?: string,
  nodePorts = '30000-32767',
) {
  const { registry, quotas, create } = await withPolicies(t);
  if (addresses) {
    const ledger = new ServiceLedger(registry, parseServiceRanges(addresses, nodePorts));
    registry.admission = admissionOf(registry, { quotas, addresses: ledger, authorize: ALLOW_NOTHING });
    t.teardown(() => ledger.close());
  }
  const service = (name: string, spec: object = {}, options?: Options) =>
    create(
      services,
      { metadata: { name }, spec: { ports: [port(80)], ...spec } },
      options,
    ) as Promise<ServiceObject>;
  const change = async (name: string, alter: (spec: ServiceObject['spec']) => void) => {
    const { object } = await registry.modify(
      services,
      'default',
      name,
      (current) => {
        const copy = structuredClone(current) as ServiceObject;
        alter(copy.spec);
        return copy;
      },
      BY_TEST,
    );
    return (object as ServiceObject).spec;
  };
  const remove = (name: string) => registry.delete(services, 'default', name, {});
  return { registry, quotas, service, change, remove };
}

t.test('a Service gets an address', async (t) => {
  const { service, change } = await withServices(t);
  const { spec, metadata } = await service('plain');
  t.match(spec.clusterIP, /^10\.96\.\d+\.\d+$/);
  t.match(spec, { clusterIPs: [spec.clusterIP], ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' });
  t.ok((indexOf(rangeOf('10.96.0.0/16'), spec.clusterIP ?? '') ?? 0) >= 256, 'from the upper band');
  t.notMatch(JSON.stringify(metadata.managedFields), 'clusterIP', "which is nobody's field");
  t.equal(
    (await change('plain', (each) => Object.assign(each, { selector: { a: 'b' } }))).clusterIP,
    spec.clusterIP,
  );
  t.match((await service('headless', { clusterIP: 'None', selector: { a: 'b' } })).spec, {
    clusterIP: 'None',
    clusterIPs: ['None'],
    ipFamilies: ['IPv4'],
  });
  const outside = await service('outside', { type: 'ExternalName', externalName: 'a.example.com' });
  t.same(
    [outside.spec.clusterIP, outside.spec.clusterIPs, outside.spec.ipFamilies],
    [undefined, undefined, undefined],
  );
});

const rangeOf = (text: string) => {
  const [range] = parseServiceRanges(text, '1-2').addresses;
  if (!range) throw new Error('no range');
  return range;
};

t.test("what is asked for by name is given, or refused in Kubernetes' words", async (t) => {
  const { service, change } = await withServices(t);
  t.equal((await service('named', { clusterIP: '10.96.0.10' })).spec.clusterIP, '10.96.0.10');
  t.equal(
    await refusalOf(service('again', { clusterIP: '10.96.0.10' })),
    'Service "again" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already allocated',
  );
  for (const address of ['10.97.0.1', '10.96.0.0', '10.96.255.255'])
    t.match(
      await refusalOf(service('foreign', { clusterIP: address })),
      `failed to allocate IP ${address}: the provided IP (${address}) is not in the valid range. The range of valid IPs is 10.96.0.0/16`,
    );
  t.equal(
    await refusalOf(service('v6', { clusterIP: 'fd00::1' })),
    'Service "v6" is invalid: spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
  );
  t.equal(
    await refusalOf(service('both', { ipFamilyPolicy: 'RequireDualStack' })),
    'Service "both" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
  );
  t.same((await service('rather', { ipFamilyPolicy: 'PreferDualStack' })).spec.ipFamilies, ['IPv4']);
  t.match(
    await refusalOf(change('named', (spec) => Object.assign(spec, { clusterIP: '10.96.0.11' }))),
    'spec.clusterIPs[0]: Invalid value: ["10.96.0.11"]: may not change once set',
  );
});

t.test('node ports', async (t) => {
  const { service, change } = await withServices(t);
  const ports = [port(53, { name: 'udp', protocol: 'UDP' }), port(53, { name: 'tcp' }), port(80)];
  const dns = (await service('dns', { type: 'NodePort', ports })).spec.ports ?? [];
  const [udp, tcp, web] = dns.map(({ nodePort = 0 }) => nodePort);
  t.ok(udp && udp >= 30_086 && udp <= 32_767, 'from the upper band');
  t.equal(udp, tcp, 'one for a port of two protocols');
  t.not(udp, web);
  await service('asked', { type: 'NodePort', ports: [port(80, { nodePort: 30_080 })] });
  t.equal(
    await refusalOf(service('again', { type: 'NodePort', ports: [port(80, { nodePort: 30_080 })] })),
    'Service "again" is invalid: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated',
  );
  t.equal(
    await refusalOf(service('low', { type: 'NodePort', ports: [port(80, { nodePort: 80 })] })),
    'Service "low" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767',
  );
  const kept = await change('dns', (spec) => spec.ports?.push(port(81)));
  t.same(kept.ports?.slice(0, 3), dns, 'what was allocated stays');
  t.ok(kept.ports?.[3]?.nodePort);
  const inner = await change('asked', (spec) => Object.assign(spec, { type: 'ClusterIP' }));
  t.equal(inner.ports?.[0]?.nodePort, undefined);
  await service('freed', { type: 'NodePort', ports: [port(80, { nodePort: 30_080 })] });
});

t.test('load balancers', async (t) => {
  const { service, change } = await withServices(t);
  const local = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
  const { spec } = await service('lb', local);
  t.ok(spec.ports?.[0]?.nodePort && spec.healthCheckNodePort);
  await t.rejects(service('lb2', { ...local, healthCheckNodePort: spec.healthCheckNodePort }), {
    code: 500,
    message: `Internal error occurred: failed to allocate requested HealthCheck NodePort ${spec.healthCheckNodePort}: provided port is already allocated`,
  });
  const without = { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false };
  const bare = await service('bare', { ...without, ports: [port(80), port(81, { nodePort: 30_081 })] });
  t.same(
    bare.spec.ports?.map(({ nodePort }) => nodePort),
    [undefined, 30_081],
  );
  await t.rejects(
    change('lb', (each) => Object.assign(each, { healthCheckNodePort: 30_001 })),
    /spec.healthCheckNodePort: Invalid value: 30001: field is immutable/,
  );
  const open = await change('lb', (each) => Object.assign(each, { externalTrafficPolicy: 'Cluster' }));
  t.equal(open.healthCheckNodePort, undefined);
});

t.test('a change of type gives back and takes', async (t) => {
  const { service, change } = await withServices(t);
  const before = (await service('a', { type: 'NodePort' })).spec.clusterIP;
  const outside = await change('a', (spec) =>
    Object.assign(spec, { type: 'ExternalName', externalName: 'a.example.com' }),
  );
  t.equal(outside.clusterIP, undefined);
  t.equal(outside.ports?.[0]?.nodePort, undefined);
  await service('b', { clusterIP: before });
  const inside = await change('a', (spec) => Object.assign(spec, { type: 'NodePort' }));
  t.ok(inside.clusterIP && inside.clusterIP !== before);
  t.ok(inside.ports?.[0]?.nodePort);
});

t.test('nothing is given twice, whoever comes at the same time; nor after a restart', async (t) => {
  const { registry, quotas, service, remove } = await withServices(t, '10.96.0.0/26', '30000-30059');
  const all = Array.from({ length: 80 }, (_, index) => service(`s${index}`, { type: 'NodePort' }));
  const outcomes = await Promise.allSettled(all);
  const given = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value.spec] : []));
  t.equal(given.length, 60, 'as many as there are ports');
  t.equal(new Set(given.map(({ clusterIP }) => clusterIP)).size, 60);
  t.equal(new Set(given.map(({ ports }) => ports?.[0]?.nodePort)).size, 60);
  await t.rejects(service('one-more', { type: 'NodePort' }), {
    code: 500,
    message: 'Internal error occurred: failed to allocate a nodePort: range is full',
  });
  const two = await Promise.all([service('x'), service('y')]);
  t.equal(new Set([...given, ...two.map(({ spec }) => spec)].map(({ clusterIP }) => clusterIP)).size, 62);
  await t.rejects(service('z'), /failed to allocate a serviceIP: range is full/);

  const restarted = new ServiceLedger(registry, parseServiceRanges('10.96.0.0/26', '30000-30059'));
  t.teardown(() => restarted.close());
  registry.admission = admissionOf(registry, { quotas, addresses: restarted, authorize: ALLOW_NOTHING });
  await t.rejects(service('z'), /range is full/);
  await remove('x');
  t.equal((await service('z')).spec.clusterIP, two[0]?.spec.clusterIP, 'what was deleted is free');
});

t.test('a dry run and a refused write take nothing', async (t) => {
  const { service } = await withServices(t, '10.96.0.0/30');
  for (let count = 0; count < 3; count += 1)
    t.ok((await service('tried', {}, { dryRun: true })).spec.clusterIP);
  await service('a');
  for (let count = 0; count < 3; count += 1) await t.rejects(service('a'), /already exists/);
  const ports = [port(80, { nodePort: 31_000 }), port(81, { nodePort: 1 })];
  await t.rejects(service('c', { type: 'NodePort', ports }), /valid range/);
  await service('b', { type: 'NodePort', ports: [port(80, { nodePort: 31_000 })] });
});

t.test('both families', async (t) => {
  const { service, change } = await withServices(t, '10.96.0.0/16,fd00:10:96::/108');
  t.same((await service('one')).spec.ipFamilies, ['IPv4']);
  const { spec } = await service('two', { ipFamilyPolicy: 'PreferDualStack' });
  t.same(spec.ipFamilies, ['IPv4', 'IPv6']);
  t.match(spec.clusterIPs?.[1], /^fd00:10:96::/);
  t.equal(spec.clusterIP, spec.clusterIPs?.[0]);
  const v6 = await service('v6', { ipFamilies: ['IPv6'] });
  t.match(v6.spec.clusterIP, /^fd00:10:96::/);
  const grown = await change('one', (each) => Object.assign(each, { ipFamilyPolicy: 'RequireDualStack' }));
  t.equal(grown.clusterIPs?.length, 2);
  const shrunk = await change('one', (each) => Object.assign(each, { ipFamilyPolicy: 'SingleStack' }));
  t.same(shrunk.clusterIPs, grown.clusterIPs?.slice(0, 1));
  t.same(shrunk.ipFamilies, ['IPv4']);
});

t.test('default/kubernetes is there, with the first address, and comes back', async (t) => {
  const { registry, remove } = await withServices(t);
  const options = { clusterAddress: '10.96.0.1', address: '192.0.2.7', port: 6443 };
  const first = startApiService({ registry, log: silent }, options);
  const cluster = new Cluster(registry);
  await cluster.until('both are there', () => !!cluster.find(endpointSlices, 'kubernetes'));
  const { spec, metadata } = cluster.get<ServiceObject>(services, 'kubernetes');
  t.match(spec, { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, targetPort: 6443 }] });
  t.match(metadata.labels, { component: 'apiserver', provider: 'kubernetes' });
  await remove('kubernetes');
  await cluster.until('it is back', () => !!cluster.find(services, 'kubernetes'));
  await first.stop();
  const moved = startApiService({ registry, log: silent }, { ...options, address: undefined, port: 7443 });
  t.teardown(() => moved.stop());
  const targetPort = () => cluster.get<ServiceObject>(services, 'kubernetes').spec.ports?.[0]?.targetPort;
  await cluster.until('the port follows', () => targetPort() === 7443);
  await cluster.until(
    'an address that nobody can use is not told',
    () => !cluster.find(endpointSlices, 'kubernetes'),
  );
});

t.test('ranges', async (t) => {
  for (const [text, first, last, size] of [
    ['10.96.0.0/16', '10.96.0.1', '10.96.255.254', 65_534],
    ['10.96.3.7/30', '10.96.3.5', '10.96.3.6', 2],
    ['fd00:10:96::/108', 'fd00:10:96::1', 'fd00:10:96::f:ffff', 2 ** 20 - 1],
    ['fd00::/64', 'fd00::1', 'fd00::100:0:0', 2 ** 40],
  ] as const) {
    const range = rangeOf(text);
    t.equal(range.size, size);
    t.same([addressAt(range, 0), addressAt(range, size - 1)], [first, last], text);
    t.same([indexOf(range, first), indexOf(range, last)], [0, size - 1]);
    t.equal(indexOf(range, '203.0.113.1'), undefined);
  }
  t.equal(indexOf(rangeOf('fd00::/64'), 'FD00:0:0::0.0.1.0'), 255, 'however it is written');
  for (const text of [
    '',
    'x',
    '10.0.0.0/33',
    'fd00::/64',
    '10.0.0.0/32',
    '10.0.0.0/8,10.1.0.0/16',
    '10.0.0.0/8,fd00::/64,fd01::/64',
  ])
    t.ok(addressesProblem(text), text);
  for (const text of ['10.96.0.0/16', '10.96.0.0/12,fd00::/108']) t.notOk(addressesProblem(text), text);
  for (const text of ['', '0-5', '5-4', '1-65536', '30000']) t.ok(nodePortsProblem(text), text);
  t.notOk(nodePortsProblem('30000-32767'));
});

t.test('the lower band is for who asks, until there is nothing else', async (t) => {
  const pool = new Pool(20, 16);
  const taken = Array.from({ length: 20 }, () => {
    const place = pool.next() ?? -1;
    pool.store(place, 'a');
    return place;
  });
  t.ok(taken.slice(0, 4).every((place) => place >= 16));
  t.equal(new Set(taken).size, 20);
  t.equal(pool.next(), undefined);
  pool.release(7, 'b');
  t.equal(pool.next(), undefined, 'only who has it can give it back');
  pool.release(7, 'a');
  t.equal(pool.next(), 7);
});

t.test('families', async (t) => {
  const configured = ['IPv4'] as const;
  t.same(familiesOf({ ipFamilies: ['IPv4', 'IPv6'], clusterIP: 'None' }, configured), {
    families: ['IPv4', 'IPv6'],
  });
  t.ok(familiesOf({ ipFamilies: ['IPv6'], clusterIP: 'None', selector: { a: 'b' } }, configured).error);
});
