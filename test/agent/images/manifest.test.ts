import t from 'tap';
import { readConfig, readManifest, readOnlyManifest } from '../../../agent/images/manifest.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const part = { digest, size: 3 };
const content = (found: unknown) => Buffer.from(typeof found === 'string' ? found : JSON.stringify(found));

t.test('what a registry says of an image', async (t) => {
  const manifest = { config: part, layers: [part, part] };
  const index = { manifests: [{ digest, platform: { architecture: 'arm64', os: 'linux' } }, { digest }] };
  t.same(readManifest(content({ schemaVersion: 2, ...manifest }), 'i'), manifest);
  t.same(readManifest(content({ ...index }), 'i'), index);
  t.same(readOnlyManifest(content(manifest), 'i'), manifest);
  t.throws(
    () => readOnlyManifest(content(index), 'i'),
    /the manifest of "i" is of a kind/,
    'an index in an index',
  );
});

t.test('what it should not say', async (t) => {
  for (const wrong of [
    '',
    '{',
    'null',
    '[]',
    '"text"',
    {},
    { config: part },
    { config: part, layers: {} },
    { config: part, layers: 'none' },
    { config: part, layers: [null] },
    { config: null, layers: [] },
    { config: { ...part, size: -1 }, layers: [] },
    { config: { ...part, size: '3' }, layers: [] },
    { config: { ...part, size: 1.5 }, layers: [] },
    { config: { ...part, size: 2 ** 60 }, layers: [] },
    { config: { ...part, digest: `sha256:../../${'a'.repeat(58)}` }, layers: [] },
    { config: { ...part, digest: 'sha512:aa' }, layers: [] },
    { manifests: {} },
    { manifests: [null] },
    { manifests: [{ digest: '../x' }] },
    { manifests: [{ digest, platform: 'arm64' }] },
    { manifests: [{ digest, platform: { architecture: 7 } }] },
  ])
    t.throws(
      () => readManifest(content(wrong), 'i'),
      /the manifest of "i" is of a kind that is not known here: push it anew/,
      JSON.stringify(wrong),
    );
});

t.test('the configuration', async (t) => {
  const about = { architecture: 'arm', os: 'linux', variant: 'v7' };
  t.same(readConfig(content({ ...about, rootfs: { diff_ids: [digest] } }), 'i'), {
    ...about,
    diffIds: [digest],
  });
  t.match(readConfig(content({}), 'i'), { diffIds: [] }, 'an image of nothing');
  for (const wrong of [
    '\u001f\u008b',
    'null',
    { architecture: 1 },
    { rootfs: { diff_ids: 'x' } },
    { rootfs: { diff_ids: [1] } },
  ])
    t.throws(
      () => readConfig(content(wrong), 'i'),
      /the configuration of "i" is of a kind/,
      JSON.stringify(wrong),
    );
});
