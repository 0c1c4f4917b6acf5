import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConfigurationError } from '../../../agent/pod/environment.ts';
import type { Configuration } from '../../../agent/pod/pod.ts';
import { makeVolume, removeDirectories } from '../../../agent/pod/volume-files.ts';
import { mountsOf, planVolumes, podDirectories } from '../../../agent/pod/volumes.ts';
import { container, makePod } from '../builders.ts';

const roots = { data: '/data', memory: '/memory' };
const configuration: Configuration = {
  configMap: (_, name) =>
    name === 'conf' ? { data: { a: 'A', b: 'B' }, binaryData: { bin: 'AAE=' } } : undefined,
  secret: (_, name) =>
    name === 'sec' ? { data: { key: Buffer.from('secret').toString('base64') } } : undefined,
};
const plan = (volume: object) =>
  planVolumes(makePod({ volumes: [{ name: 'v', ...volume }] }), configuration, roots)[0];

t.test('where volumes are', async (t) => {
  t.same(plan({ emptyDir: {} }), { type: 'directory', path: '/data/pods/uid-web/volumes/v' });
  t.match(plan({ emptyDir: { medium: 'Memory' } }), { path: '/memory/pods/uid-web/volumes/v' });
  t.same(plan({ hostPath: { path: '/srv', type: 'Directory' } }), {
    type: 'host',
    path: '/srv',
    kind: 'Directory',
  });
  t.match(plan({ configMap: { name: 'conf' } }), { type: 'files', path: '/data/pods/uid-web/volumes/v' });
  t.match(
    plan({ secret: { secretName: 'sec' } }),
    { path: '/memory/pods/uid-web/volumes/v' },
    'secrets are kept in memory',
  );
  t.same(podDirectories('uid-web', roots), ['/data/pods/uid-web', '/memory/pods/uid-web']);
});

t.test('what is in them', async (t) => {
  const files = (volume: object) => {
    const made = plan(volume);
    return made?.type === 'files'
      ? made.files.map(({ path, content, mode }) => `${path}=${content} ${mode.toString(8)}`)
      : [];
  };
  t.same(files({ configMap: { name: 'conf' } }), ['a=A 644', 'b=B 644', 'bin=\0\x01 644']);
  t.same(
    files({
      configMap: { name: 'conf', defaultMode: 0o400, items: [{ key: 'a', path: 'x/y', mode: 0o755 }] },
    }),
    ['x/y=A 755'],
  );
  t.same(files({ secret: { secretName: 'sec', defaultMode: 0o400 } }), ['key=secret 400']);
  t.same(files({ configMap: { name: 'none', optional: true } }), []);
});

t.test('what cannot be made is refused with what is wrong', async (t) => {
  for (const [volume, message] of [
    [{ configMap: { name: 'none' } }, /configmap "none" not found/],
    [
      { configMap: { name: 'conf', items: [{ key: 'c', path: 'c' }] } },
      /references non-existent config key: c/,
    ],
    [{ configMap: { name: 'conf', items: [{ key: 'a', path: '../a' }] } }, /leads out of the volume/],
    [{ configMap: { name: 'conf', items: [{ key: 'a', path: '/a' }] } }, /leads out of the volume/],
    [{ nfs: {} }, /of the kind "nfs", which this agent does not support yet: use emptyDir/],
  ] as const) {
    t.throws(() => plan(volume), { name: 'ConfigurationError', message });
  }
  t.throws(() => plan({ nfs: {} }), ConfigurationError);
});

t.test('what a container mounts', async (t) => {
  const pod = makePod({
    volumes: [
      { name: 'e', emptyDir: {} },
      { name: 'c', configMap: { name: 'conf' } },
    ],
  });
  const mounts = (mount: object) =>
    mountsOf(pod, container('main', { volumeMounts: [{ mountPath: '/m', name: 'e', ...mount }] }), roots);
  t.same(mounts({}), [{ source: '/data/pods/uid-web/volumes/e', target: '/m', readOnly: false }]);
  t.match(mounts({ readOnly: true }), [{ readOnly: true }]);
  t.match(mounts({ name: 'c' }), [{ readOnly: true }], 'configuration is never written to');
  t.throws(() => mounts({ subPath: 'x' }), /subPath is not supported by this agent yet/);
  t.throws(() => mounts({ name: 'none' }), /volume "none" is not in the pod/);
});

t.test('files change all at once, and are not written when they are right', async (t) => {
  const path = join(t.testdir(), 'volume');
  const file = (name: string, content: string, mode = 0o644) => ({
    path: name,
    content: Buffer.from(content),
    mode,
  });
  await makeVolume({ type: 'files', path, files: [file('a', '1'), file('dir/b', '2', 0o400)] });
  t.equal(readFileSync(join(path, 'a'), 'utf8'), '1');
  t.equal(readFileSync(join(path, 'dir/b'), 'utf8'), '2');
  t.equal(statSync(join(path, 'dir/b')).mode & 0o777, 0o400);
  const first = readlinkSync(join(path, '..data'));
  await makeVolume({ type: 'files', path, files: [file('a', '1'), file('dir/b', '2', 0o400)] });
  t.equal(readlinkSync(join(path, '..data')), first, 'nothing was written');
  await makeVolume({ type: 'files', path, files: [file('a', 'new')] });
  t.not(readlinkSync(join(path, '..data')), first);
  t.equal(readFileSync(join(path, 'a'), 'utf8'), 'new');
  t.same(
    readdirSync(path).filter((name) => !name.startsWith('..')),
    ['a'],
    'what is not wanted any more is gone',
  );
  t.notOk(existsSync(join(path, first)), 'and so is what it was in');
  await removeDirectories([path]);
  t.notOk(existsSync(path));
});

t.test('host paths are checked as their type says', async (t) => {
  const dir = t.testdir({ file: 'x' });
  const make = (path: string, kind: string) => makeVolume({ type: 'host', path: join(dir, path), kind });
  await make('new', 'DirectoryOrCreate');
  t.ok(statSync(join(dir, 'new')).isDirectory());
  await make('new', 'Directory');
  await make('file', 'File');
  await t.rejects(make('none', 'Directory'), /hostPath type check failed: .*none is not a Directory/);
  await t.rejects(make('file', 'Directory'), /is not a Directory/);
  await t.rejects(make('new', 'Socket'), /is not a Socket/);
  await make('file2', 'FileOrCreate');
  writeFileSync(join(dir, 'file2'), 'kept');
  await make('file2', 'FileOrCreate');
  t.equal(readFileSync(join(dir, 'file2'), 'utf8'), 'kept');
});
