import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { importArchive } from '../../../agent/images/import-archive.ts';
import { importedImages, isImported, saveImported } from '../../../agent/images/imported.ts';

const engine = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';

t.test(
  'what is no archive of images for this device is told in a line, and nothing is given to the engine',
  async (t) => {
    const dir = t.testdir();
    const rows: [string, Record<string, unknown>, RegExp][] = [
      ['of other things', { 'a.txt': {} }, /is neither what "docker save" makes nor an OCI image layout/],
      ['of nothing', { 'manifest.json': [] }, /has no images/],
      [
        'without a name',
        { 'manifest.json': [{ Config: 'c', RepoTags: null, Layers: [] }] },
        /an image without a name/,
      ],
      [
        'not whole',
        { 'manifest.json': [{ Config: 'c', RepoTags: ['a:1'], Layers: [] }] },
        /lacks "c": it is not whole/,
      ],
      [
        'for others',
        { 'manifest.json': [{ Config: 'c', RepoTags: ['a:1'], Layers: [] }], c: { architecture: 's390x' } },
        /image "a:1" is for linux\/s390x, and this device is/,
      ],
      [
        'a layout without names',
        { 'index.json': { manifests: [{ digest: 'sha256:1' }] } },
        /does not say what its images are called/,
      ],
      [
        'a layout that is not whole',
        {
          'index.json': {
            manifests: [{ digest: 'sha256:1', annotations: { 'org.opencontainers.image.ref.name': 'a:1' } }],
          },
        },
        /lacks "blobs\/sha256\/1"/,
      ],
    ];
    for (const [index, [what, files, problem]] of rows.entries()) {
      const from = join(dir, `${index}`);
      mkdirSync(from);
      for (const [name, content] of Object.entries(files))
        writeFileSync(join(from, name), JSON.stringify(content));
      const file = join(dir, `${index}.tar`);
      execFileSync('tar', ['-C', from, '-cf', file, '.']);
      await t.rejects(importArchive(file, { engine, dataDir: dir }), problem, what);
      t.notOk(await isImported(file, dir), 'it is looked at again');
    }
    writeFileSync(join(dir, 'cut.tar'), 'x'.repeat(100));
    await t.rejects(
      importArchive(join(dir, 'cut.tar'), { engine, dataDir: dir }),
      /cut.tar" can not be read: it breaks off/,
    );
  },
);

t.test('what was imported is remembered once', async (t) => {
  const dir = t.testdir({ file: 'x' });
  t.same(await importedImages(dir), []);
  for (const images of [['a:1'], ['a:1', 'b:1']]) await saveImported(dir, { images });
  t.same(await importedImages(dir), ['a:1', 'b:1']);
});
