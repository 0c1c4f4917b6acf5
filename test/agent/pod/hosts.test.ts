import t from 'tap';
import { extraHostsOf, hostNamesOf, managedHosts } from '../../../agent/pod/hosts.ts';
import { container, makePod } from '../builders.ts';

t.test('what a pod is called', async (t) => {
  const names = (spec: object, name = 'web-1') => hostNamesOf(makePod(spec, { name }));
  t.same(names({}), { hostname: 'web-1' });
  t.same(names({ hostname: 'db' }), { hostname: 'db' });
  t.same(names({}, `${'a'.repeat(62)}.bcd`), { hostname: 'a'.repeat(62) }, 'cut, and not behind a dot');
  t.same(names({ hostname: 'db', subdomain: 'dbs' }), {
    hostname: 'db',
    domain: 'dbs.default.svc.cluster.local',
  });
  t.same(names({ hostname: 'db', subdomain: 'dbs', setHostnameAsFQDN: true }), {
    hostname: 'db.dbs.default.svc.cluster.local',
  });
  t.same(names({ setHostnameAsFQDN: true }), { hostname: 'web-1' }, 'it has no other name');
  t.equal(names({ hostNetwork: true, hostname: 'db' }), undefined, 'called as the device');
  const long = { subdomain: 's'.repeat(40), setHostnameAsFQDN: true };
  t.throws(() => names(long), /FQDN .* is too long \(64 characters is the max, 72 characters requested\)/);
});

t.test('names that it knows', async (t) => {
  const hostAliases = [
    { ip: '192.0.2.7', hostnames: ['a.example', 'b.example'] },
    { ip: '2001:db8::1', hostnames: ['six.example'] },
  ];
  t.same(extraHostsOf(makePod({ hostAliases })), [
    'a.example:192.0.2.7',
    'b.example:192.0.2.7',
    'six.example:2001:db8::1',
  ]);
  t.same(extraHostsOf(makePod()), []);
  const managed = (spec: object, main = container()) => managedHosts(makePod(spec), main, '127.0.0.1 box\n');
  t.equal(managed({ hostAliases }), undefined, 'the engine writes it');
  t.equal(managed({ hostNetwork: true }), undefined, 'it is the device\u2019s');
  t.equal(
    managed({ hostNetwork: true, hostAliases }),
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 box\n\n# Entries added by HostAliases.\n' +
      '192.0.2.7\ta.example\tb.example\n2001:db8::1\tsix.example\n',
  );
  const own = container('main', { volumeMounts: [{ name: 'v', mountPath: '/etc/hosts' }] });
  t.equal(managed({ hostNetwork: true, hostAliases }, own), undefined, 'it brings its own');
});
