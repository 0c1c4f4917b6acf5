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
  const managed = (spec: object, main = container(), podIp = '') =>
    managedHosts(makePod(spec), main, { podIp, ofDevice: '127.0.0.1 box\n' });
  t.equal(managed({ hostAliases }), undefined, 'the engine writes it');
  const own1 = (spec: object) => managed(spec, container(), '10.42.0.9')?.split('\n').slice(0, 8);
  t.same(own1({}), [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    '10.42.0.9\tweb',
  ]);
  const names = { hostname: 'db-0', subdomain: 'db' };
  t.equal(own1(names)?.[7], '10.42.0.9\tdb-0.db.default.svc.cluster.local\tdb-0');
  t.equal(
    own1({ ...names, setHostnameAsFQDN: true })?.[7],
    '10.42.0.9\tdb-0.db.default.svc.cluster.local\tdb-0',
  );
  t.match(
    managed({ hostAliases }, container(), '10.42.0.9'),
    /\n# Entries added by HostAliases.\n192.0.2.7\ta.example\tb/,
  );
  t.equal(managed({ hostNetwork: true }), undefined, 'it is the device\u2019s');
  t.equal(
    managed({ hostNetwork: true, hostAliases }),
    '# Kubernetes-managed hosts file (host network).\n127.0.0.1 box\n\n# Entries added by HostAliases.\n' +
      '192.0.2.7\ta.example\tb.example\n2001:db8::1\tsix.example\n',
  );
  const own = container('main', { volumeMounts: [{ name: 'v', mountPath: '/etc/hosts' }] });
  t.equal(managed({ hostNetwork: true, hostAliases }, own), undefined, 'it brings its own');
});
