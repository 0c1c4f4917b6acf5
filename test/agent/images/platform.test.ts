import t from 'tap';
import { chooseManifest, platformOf, platformProblem } from '../../../agent/images/platform.ts';

const of = (...names: string[]) =>
  names.map((name) => {
    const [os = '', architecture = '', variant] = name.split('/');
    return { digest: name, platform: { os, architecture, ...(variant && { variant }) } };
  });
const own = (name: string) => of(name)[0]?.platform ?? { architecture: '' };

t.test('what is chosen for a processor', async (t) => {
  const rows: [string[], string, string][] = [
    [['linux/arm64', 'linux/amd64'], 'linux/amd64', 'linux/amd64'],
    [['linux/amd64', 'linux/arm64/v8'], 'linux/arm64', 'linux/arm64/v8'],
    [['windows/amd64', 'linux/amd64'], 'linux/amd64', 'linux/amd64'],
    [['linux/amd64/v3', 'linux/amd64'], 'linux/amd64', 'linux/amd64'],
    [['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6'], 'linux/arm/v7', 'linux/arm/v7'],
    [['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6'], 'linux/arm/v6', 'linux/arm/v6'],
    [['linux/arm', 'linux/arm/v7'], 'linux/arm/v6', 'linux/arm'],
  ];
  for (const [there, device, chosen] of rows)
    t.equal(chooseManifest(of(...there), own(device), 'app').digest, chosen, `${there} on ${device}`);
});

t.test('where there is nothing, what there is', async (t) => {
  const there = [...of('linux/arm64', 'linux/arm/v7', 'unknown/unknown'), { digest: 'none' }];
  t.throws(() => chooseManifest(there, own('linux/amd64'), 'app:1'), {
    message:
      'image "app:1" is for linux/arm64, linux/arm/v7, and this device is linux/amd64: build it for linux/amd64 as well',
  });
  t.throws(() => chooseManifest(of('linux/arm/v7'), own('linux/arm/v6'), 'app'), /is for linux\/arm\/v7/);
  t.throws(() => chooseManifest([], own('linux/amd64'), 'app'), /is for no processor/);
  t.equal(platformProblem({ architecture: 'amd64', os: 'linux' }, own('linux/amd64'), 'app'), undefined);
  t.equal(platformProblem({}, own('linux/amd64'), 'app'), undefined, 'what does not say');
  t.match(platformProblem({ architecture: 'arm64' }, own('linux/amd64'), 'app'), /is for linux\/arm64/);
});

t.test('what an engine says of its machine', async (t) => {
  t.same(platformOf('arm', 'armv7l'), { os: 'linux', architecture: 'arm', variant: 'v7' });
  t.same(platformOf('amd64', 'x86_64'), { os: 'linux', architecture: 'amd64' });
});
