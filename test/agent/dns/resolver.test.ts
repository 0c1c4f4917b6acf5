import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readHostResolver } from '../../../agent/dns/host-resolver.ts';
import { parseResolvConf, resolverOf } from '../../../agent/dns/resolver.ts';
import type { Pod } from '../../../agent/pod/pod.ts';
import { makePod } from '../builders.ts';

/* Whom the programs of a pod ask, by its dnsPolicy and dnsConfig. */

const HOST = { servers: ['192.0.2.1', '192.0.2.2', '192.0.2.3'], search: ['site.example'] };
const OWN = '172.17.0.1';
const CLUSTER = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];
const of = (spec: Partial<Pod['spec']>, host = HOST) => resolverOf(makePod(spec), OWN, host);

t.test('policies', async (t) => {
  const clusterFirst = {
    servers: [OWN, '192.0.2.1', '192.0.2.2'],
    search: [...CLUSTER, 'site.example'],
    options: ['ndots:5'],
  };
  t.same(of({}), clusterFirst);
  t.same(of({ dnsPolicy: 'ClusterFirst' }), clusterFirst);
  t.same(of({ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }), clusterFirst);
  t.equal(of({ dnsPolicy: 'ClusterFirst', hostNetwork: true }), undefined, 'as Default');
  t.equal(of({ dnsPolicy: 'Default' }), undefined, 'as the engine sees fit');
  t.equal(resolverOf(makePod({}), undefined, HOST), undefined, 'where containers cannot reach the agent');
  t.same(of({}, { servers: [], search: [] })?.servers, [OWN], 'without a connection');
});

t.test('dnsConfig', async (t) => {
  const dnsConfig = {
    nameservers: ['198.51.100.1', '192.0.2.1'],
    searches: ['more.example', 'site.example'],
    options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }, {}],
  };
  const options = ['ndots:2', 'edns0'];
  t.same(of({ dnsPolicy: 'None', dnsConfig }), {
    servers: dnsConfig.nameservers,
    search: dnsConfig.searches,
    options,
  });
  t.same(of({ dnsPolicy: 'Default', dnsConfig }), {
    servers: HOST.servers,
    search: ['site.example', 'more.example'],
    options,
  });
  t.same(of({ dnsConfig }, { servers: ['192.0.2.1'], search: [] }), {
    servers: [OWN, '192.0.2.1', '198.51.100.1'],
    search: [...CLUSTER, 'more.example', 'site.example'],
    options,
  });
});

t.test('what the device itself asks', async (t) => {
  t.same(parseResolvConf('# a comment\nnameserver 192.0.2.1\nsearch a b\n\nnameserver  ::2\nsearch c .\n'), {
    servers: ['192.0.2.1', '::2'],
    search: ['c'],
  });
  const files = (...texts: string[]) =>
    texts.map((text, index) => {
      const path = join(t.testdirName, `${index}`);
      writeFileSync(path, text);
      return path;
    });
  t.testdir();
  const local = 'nameserver 127.0.0.53\n';
  t.same(await readHostResolver(files(local, 'nameserver 192.0.2.9\nsearch x')), {
    servers: ['192.0.2.9'],
    search: ['x'],
  });
  t.same((await readHostResolver(files('nameserver ::1\nnameserver 192.0.2.1\n')))?.servers, ['192.0.2.1']);
  t.equal(await readHostResolver([...files(local), '/nowhere']), undefined, 'only the device reaches it');
  t.same(await readHostResolver(['/nowhere']), { servers: [], search: [] });
});
