import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PackageStore } from '../../../hub/packages/package-store.ts';
import { parsePublicKey } from '../../../proto/minisign.ts';
import { makeArchive, makeDeb, newSigningKey } from '../../support/packages.ts';
import { mayMount, SmallDisk } from '../../support/small-disk.ts';

const signing = newSigningKey();
const key = parsePublicKey(signing.publicKey);

function newStore(t: Test, at?: string) {
  const root = t.testdir();
  const [dir, dataDir] = [join(root, 'made'), at ?? join(root, 'hub')];
  mkdirSync(dataDir, { recursive: true });
  return { store: new PackageStore(dataDir), dir, contents: join(dataDir, 'packages/contents'), dataDir };
}

t.test('what is right is kept, listed, given and taken away', async (t) => {
  const { store, dir, contents } = newStore(t);
  t.same(store.list(), []);
  const names = [
    makeArchive({ dir, key: signing, version: '1.10.0' }),
    makeArchive({ dir, key: signing, version: '1.9.0', arch: 'arm64' }),
    makeDeb({ dir, key: signing, version: '1.9.0' }),
  ];
  for (const name of names) await store.add(join(dir, name), key);
  t.same(
    store.list().map(({ version, form }) => `${version} ${form}`),
    ['1.9.0 archive', '1.9.0 deb', '1.10.0 archive'],
  );
  const [first = ''] = names;
  const stored = store.get(first);
  t.match(stored, { version: '1.10.0', arch: 'amd64', bytes: statSync(join(dir, first)).size });
  if (stored) t.same(readFileSync(store.contentOf(stored)), readFileSync(join(dir, first)));
  t.same(readdirSync(contents).length, 3);
  t.equal(store.remove(first), true);
  t.equal(store.remove(first), false);
  t.equal(store.get(first), undefined);
  t.same(readdirSync(contents).length, 2, 'its content has gone too');
  t.equal(store.get('../../etc/passwd'), undefined);
});

t.test('another content under the same name takes its place; the same one changes nothing', async (t) => {
  const { store, dir, contents } = newStore(t);
  const make = (padding: string) =>
    makeArchive({ dir, key: signing, version: '1.0.0', padding: Buffer.from(padding) });
  const name = make('one');
  const first = await store.add(join(dir, name), key);
  t.same(await store.add(join(dir, name), key), first);
  make('two');
  const second = await store.add(join(dir, name), key);
  t.not(second.sha256, first.sha256);
  t.same(
    store.list().map(({ sha256 }) => sha256),
    [second.sha256],
  );
  t.same(readdirSync(contents), [second.sha256]);
});

t.test('what is wrong is refused in one line, and leaves nothing', async (t) => {
  const { store, dir, contents } = newStore(t);
  const good = makeArchive({ dir, key: signing, version: '1.0.0', padding: Buffer.alloc(100_000, 'x') });
  const content = readFileSync(join(dir, good));
  const refused = async (why: RegExp, file = join(dir, good)) => {
    await t.rejects(store.add(file, key), { message: why });
    t.same(store.list(), []);
    t.same(existsSync(contents) ? readdirSync(contents) : [], []);
  };
  truncateSync(join(dir, good), 50_000);
  await refused(
    /"holdfast-agent-1\.0\.0-linux-amd64\.tar\.gz" is refused: the content is not what was signed/,
  );
  const changed = Buffer.from(content);
  changed[70_000] = 0;
  writeFileSync(join(dir, good), changed);
  await refused(/the content is not what was signed/);
  writeFileSync(join(dir, good), content);
  const minisig = readFileSync(join(dir, `${good}.minisig`));
  rmSync(join(dir, `${good}.minisig`));
  await refused(/is not signed: its signature must be beside it, in ".*\.minisig"/);
  writeFileSync(join(dir, `${good}.minisig`), 'nonsense');
  await refused(/the signature is malformed/);
  const renamed = join(dir, 'holdfast-agent-1.0.0-linux-arm64.tar.gz');
  writeFileSync(renamed, content);
  writeFileSync(`${renamed}.minisig`, minisig);
  await refused(/it was signed as "holdfast-agent-1\.0\.0-linux-amd64\.tar\.gz", and not as/, renamed);
  makeArchive({ dir, key: newSigningKey(), version: '1.0.0' });
  await refused(/signed with the key [0-9A-F]{16}, and only [0-9A-F]{16} is trusted/);
  makeArchive({ dir, key: signing, version: '1.0.0', says: { arch: 'arm64' } });
  await refused(
    /it holds holdfast-agent 1\.0\.0 for arm64, and is called "holdfast-agent-1\.0\.0-linux-amd64/,
  );
  const deb = makeDeb({ dir, key: signing, version: '1.0.0', says: { Version: '0.9.0' } });
  await refused(/it holds holdfast-agent 0\.9\.0 for amd64/, join(dir, deb));
  writeFileSync(join(dir, good), 'no archive');
  writeFileSync(join(dir, `${good}.minisig`), signing.sign(Buffer.from('no archive'), good));
  await refused(/it can not be unpacked/);
  writeFileSync(join(dir, 'x.tar.gz'), content);
  await refused(/"x\.tar\.gz" must be called as a package is/, join(dir, 'x.tar.gz'));
  await t.rejects(new PackageStore('/nonexistent/hub').add(join(dir, deb), key), {
    message: /no hub has its data in "\/nonexistent\/hub": --data-dir/,
  });
});

t.test(
  'what was left by a crash is removed with the next that is added, when nobody can be writing it',
  async (t) => {
    const { store, dir, contents } = newStore(t);
    const name = makeArchive({ dir, key: signing, version: '1.0.0' });
    mkdirSync(contents, { recursive: true });
    for (const each of ['.1-old', 'fresh']) writeFileSync(join(contents, each), 'x');
    utimesSync(join(contents, '.1-old'), 0, 0);
    const { sha256 } = await store.add(join(dir, name), key);
    t.same(readdirSync(contents).sort(), ['fresh', sha256].sort());
  },
);

t.test('a full disk is told, and what was there stays', { skip: !mayMount }, async (t) => {
  const disk = new SmallDisk(1024);
  t.teardown(() => disk.remove());
  const { store, dir } = newStore(t, join(disk.dir, 'hub'));
  const small = makeArchive({ dir, key: signing, version: '1.0.0' });
  const large = makeArchive({ dir, key: signing, version: '1.1.0', padding: Buffer.alloc(2_000_000) });
  await store.add(join(dir, small), key);
  await t.rejects(store.add(join(dir, large), key), {
    message: /"holdfast-agent-1\.1\.0-.*" was not added: the disk of ".*" is full; make room/,
  });
  t.same(
    store.list().map(({ name }) => name),
    [small],
  );
});
