import { cpSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { SqliteStore } from '../../../hub/store/sqlite-store.ts';
import { type Change, CompactedError } from '../../../hub/store/store.ts';

const put = (store: SqliteStore, key: string, value: string, revision = 0) =>
  store.commit([{ key, revision }], [{ key, value }]);
const remove = (store: SqliteStore, key: string, revision: number) =>
  store.commit([{ key, revision }], [{ key, value: undefined }]);
const told = (changes: readonly Change[]) =>
  changes.map(
    ({ revision, key, value, previous }) =>
      `${revision} ${key}=${value ?? '-'} was ${previous?.value ?? '-'}`,
  );

t.test('one revision grows by one with each write of any key', async (t) => {
  const store = SqliteStore.open(join(t.testdir(), 'hub.db'));
  t.equal(store.revision, 0);
  t.same(await put(store, '/a/1', 'one'), { revision: 1 });
  t.same(await put(store, '/b/1', 'uno'), { revision: 2 });
  t.same(await put(store, '/a/1', 'two', 1), { revision: 3 });
  t.same([...store.list('/a/')], [{ key: '/a/1', value: 'two', revision: 3 }]);
  t.same(await remove(store, '/a/1', 3), { revision: 4 });
  t.same([...store.list('/a/')], []);
  store.close();
});

t.test('a commit whose condition fails writes nothing and takes no revision', async (t) => {
  const store = SqliteStore.open(join(t.testdir(), 'hub.db'));
  await put(store, '/a', '1');
  t.same(await put(store, '/a', '2'), { revision: undefined }, 'exists');
  t.same(await put(store, '/a', '2', 7), { revision: undefined }, 'another revision');
  t.same(await remove(store, '/b', 1), { revision: undefined }, 'does not exist');
  t.equal(store.revision, 1);
  store.close();
});

t.test('of commits made at once, each sees the ones before it', async (t) => {
  const store = SqliteStore.open(join(t.testdir(), 'hub.db'));
  const results = await Promise.all([put(store, '/a', '1'), put(store, '/a', '2'), put(store, '/a', '3', 1)]);
  t.same(results, [{ revision: 1 }, { revision: undefined }, { revision: 2 }]);
  t.match([...store.list('/')], [{ value: '3', revision: 2 }]);
  store.close();
});

t.test('what was answered is in the files, whether or not the store is ever closed', async (t) => {
  const directory = t.testdir();
  const first = SqliteStore.open(join(directory, 'hub.db'));
  await Promise.all(Array.from({ length: 100 }, (_, i) => put(first, `/a/${i}`, String(i))));
  for (const suffix of ['', '-wal'])
    cpSync(join(directory, `hub.db${suffix}`), join(directory, `copy.db${suffix}`));
  const second = SqliteStore.open(join(directory, 'copy.db'));
  t.equal([...second.list('/a/')].length, 100);
  t.equal(second.revision, 100);
  t.same(await put(second, '/a/7', 'x', [...second.list('/a/7')][0]?.revision), { revision: 101 });
  second.close();
  first.close();
});

t.test('history tells every change after a revision, with what was there before', async (t) => {
  const store = SqliteStore.open(join(t.testdir(), 'hub.db'));
  const heard: Change[] = [];
  store.subscribe((changes) => heard.push(...changes));
  await put(store, '/a', '1');
  await put(store, '/b', '1');
  await put(store, '/a', '2', 1);
  await remove(store, '/a', 3);
  await put(store, '/a', '3');
  const all = ['1 /a=1 was -', '2 /b=1 was -', '3 /a=2 was 1', '4 /a=- was 2', '5 /a=3 was -'];
  t.same(told(store.history('/', 0)), all);
  t.same(told(heard), all, 'subscribers hear the same');
  t.same(told(store.history('/a', 3)), all.slice(3));
  t.same(store.history('/', 5), []);
  store.close();
});

t.test('compaction keeps the current state and the history after it', async (t) => {
  const path = join(t.testdir(), 'hub.db');
  const store = SqliteStore.open(path);
  await put(store, '/a', '1');
  await put(store, '/a', '2', 1);
  await put(store, '/gone', '1');
  await remove(store, '/gone', 3);
  await put(store, '/a', '3', 2);
  store.compact(4);
  t.throws(() => store.history('/', 3), CompactedError);
  t.same(told(store.history('/', 4)), ['5 /a=3 was 2']);
  t.match([...store.list('/')], [{ key: '/a', value: '3', revision: 5 }]);
  store.close();
  const again = SqliteStore.open(path);
  t.throws(() => again.history('/', 0), new CompactedError(0, 4));
  t.equal(again.revision, 5);
  again.close();
});

t.test('compaction a little at a time leaves what one of all at once would', async (t) => {
  const directory = t.testdir();
  const stores = ['steps.db', 'once.db'].map((name) => SqliteStore.open(join(directory, name)));
  for (const store of stores) {
    for (let round = 0; round < 10; round += 1) {
      const at = await put(store, '/a', `${round}`, [...store.list('/a')][0]?.revision ?? 0);
      const gone = await put(store, `/gone/${round}`, 'x');
      await remove(store, `/gone/${round}`, gone.revision ?? 0);
      if (store === stores[0]) store.compact(at.revision ?? 0);
    }
  }
  const [steps, once] = stores as [SqliteStore, SqliteStore];
  for (const store of stores) store.compact(store.revision);
  t.same([...steps.list('/')], [...once.list('/')]);
  t.equal(steps.revision, once.revision);
  for (const store of stores) store.close();
  const rowsOf = (name: string) => {
    const db = new Database(join(directory, name));
    const rows = db.prepare('SELECT revision, key FROM log ORDER BY revision').all();
    db.close();
    return rows;
  };
  t.same(rowsOf('steps.db'), rowsOf('once.db'));
  t.equal(rowsOf('once.db').length, 2, 'the object, and the newest deletion');
});

t.test('the revision does not go back when the newest write was a deletion that is compacted', async (t) => {
  const path = join(t.testdir(), 'hub.db');
  const store = SqliteStore.open(path);
  await put(store, '/a', '1');
  await remove(store, '/a', 1);
  store.compact(2);
  store.close();
  const again = SqliteStore.open(path);
  t.equal(again.revision, 2);
  again.close();
});

t.test('its files are private', async (t) => {
  const path = join(t.testdir(), 'hub.db');
  const store = SqliteStore.open(path);
  await put(store, '/a', '1');
  for (const file of [path, `${path}-wal`]) t.equal(statSync(file).mode & 0o777, 0o600, file);
  store.close();
});

t.test('a file that is not a store is refused with a sentence and left as it is', async (t) => {
  const path = join(t.testdir(), 'hub.db');
  writeFileSync(path, 'this is not a database, but it is long enough to be taken for one'.repeat(100));
  t.throws(() => SqliteStore.open(path), /hub\.db": restore it from a backup, or move it aside/);
  t.throws(() => SqliteStore.open(t.testdirName), /let the user of the hub read and write it/, 'not damaged');
});
