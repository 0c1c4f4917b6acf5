import t from 'tap';
import { byteRange } from '../../../hub/packages/byte-range.ts';
import { addressAsked } from '../../../hub/packages/hub-address.ts';
import { comparePackages, compareVersions, parsePackageName } from '../../../hub/packages/package-name.ts';

t.test('a name says what a package is', async (t) => {
  const agent = { program: 'holdfast-agent', version: '1.2.3', arch: 'arm64' };
  t.match(parsePackageName('holdfast-agent-1.2.3-linux-arm64.tar.gz'), { ...agent, form: 'archive' });
  t.match(parsePackageName('holdfast-agent-1.2.3-linux-arm64-slim.tar.gz'), { ...agent, form: 'slim' });
  t.match(parsePackageName('holdfast-agent_1.2.3_arm64.deb'), { ...agent, form: 'deb' });
  t.match(parsePackageName('holdfast-1.2.3-rc.1-linux-amd64.tar.gz'), {
    ...{ program: 'holdfast', version: '1.2.3-rc.1', arch: 'amd64', form: 'archive' },
  });
  for (const name of [
    'SHA256SUMS',
    'holdfast-agent-1.2.3-linux-armv7.tar.gz',
    'holdfast-agent-1.2-linux-arm64.tar.gz',
    '../holdfast-agent-1.2.3-linux-arm64.tar.gz',
    'holdfast-agent-1.2.3-linux-arm64.tar.gz.minisig',
    'holdfast-agent-1.2.3-/../linux-arm64.tar.gz',
    '',
  ])
    t.equal(parsePackageName(name), undefined, name);
});

t.test('the newest is the last', async (t) => {
  const versions = ['0.9.0', '1.0.0-rc.1', '1.0.0-rc.2', '1.0.0-rc.10', '1.0.0', '1.2.0', '1.10.0', '10.0.0'];
  for (const [at, version] of versions.entries())
    for (const [other, than] of versions.entries())
      t.equal(Math.sign(compareVersions(version, than)), Math.sign(at - other), `${version} and ${than}`);
  const names = [
    'holdfast-agent-1.9.0-linux-arm64',
    'holdfast-1.10.0-linux-arm64',
    'holdfast-agent-1.10.0-linux-arm64',
  ];
  const parsed = names.flatMap((name) => parsePackageName(`${name}.tar.gz`) ?? []);
  t.same(
    parsed.sort(comparePackages).map(({ program, version }) => `${program} ${version}`),
    ['holdfast 1.10.0', 'holdfast-agent 1.9.0', 'holdfast-agent 1.10.0'],
  );
});

for (const [header, wanted] of [
  [undefined, undefined],
  ['bytes=0-0', { first: 0, last: 0 }],
  ['bytes=10-', { first: 10, last: 99 }],
  ['bytes=-10', { first: 90, last: 99 }],
  ['bytes=-1000', { first: 0, last: 99 }],
  ['bytes=90-1000', { first: 90, last: 99 }],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=5-4', undefined],
  ['bytes=-', undefined],
  ['bytes=0-1,5-6', undefined],
  ['lines=1-2', undefined],
  ['bytes=99999999999999999999-', undefined],
] as const)
  t.test(`of 100 bytes: ${header}`, async (t) => {
    t.same(byteRange(header, 100), wanted);
  });

t.test('only a host and a port become a part of the script', async (t) => {
  for (const host of ['hub', 'hub.example:6443', '10.0.0.1:6443', '[fe80::1]:6443', 'a-b.c'])
    t.equal(addressAsked(host, 'own'), host);
  for (const host of [
    ...["hub'; rm -rf /; '", 'hub:6443/path', 'user@hub', 'hub:port', '$(id)', '`id`', 'hub\nx', '-x', ''],
    ...['hub:123456', '[::1', 'hüb', `${'a'.repeat(300)}`, undefined],
  ])
    t.equal(addressAsked(host, 'own'), 'own', `${host}`);
});
