import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ConfigurationError } from '../../../agent/pod/configuration-error.ts';
import type { ClaimedVolume, Configuration, Pod } from '../../../agent/pod/pod.ts';
import { makeVolume, removeDirectories } from '../../../agent/pod/volume-files.ts';
import { mountsOf, planVolume, podDirectories } from '../../../agent/pod/volumes.ts';
import { container, makePod } from '../builders.ts';

const roots = { data: '/data', memory: '/memory' };
const configuration: Configuration = {
  configMap: (_, name) =>
    name === 'conf' ? { data: { a: 'A', b: 'B' }, binaryData: { bin: 'AAE=' } } : undefined,
  secret: (_, name) =>
    name === 'sec' ? { data: { key: Buffer.from('secret').toString('base64') } } : undefined,
};
const volumes: Record<string, object> = {
  data: {
    metadata: {
      ...{ name: 'pvc-1', uid: 'u1' },
      annotations: { 'pv.kubernetes.io/provisioned-by': 'holdfast.dev/local-path' },
    },
    spec: { hostPath: { path: '/elsewhere' } },
  },
  srv: { metadata: { name: 'srv', uid: 'u2' }, spec: { hostPath: { path: '/srv', type: 'Directory' } } },
  disk: { metadata: { name: 'disk', uid: 'u3' }, spec: { local: { path: '/mnt/disk' } } },
  share: { metadata: { name: 'share', uid: 'u4' }, spec: { nfs: { server: 'x', path: '/' } } },
};
const context = {
  configuration,
  roots,
  volumeOf: (_: string, claim: string) => volumes[claim] as ClaimedVolume | undefined,
  placement: { allocatable: { cpu: '2', memory: '1Gi' } },
  tokens: new Map([
    ['3607 ', 'api-token'],
    ['600 vault', 'vault-token'],
  ]),
  tokenProblem: 'nobody was asked',
};
const plan = (volume: object, spec: Partial<Pod['spec']> = {}, metadata: Partial<Pod['metadata']> = {}) =>
  planVolume(makePod(spec, metadata), { name: 'v', ...volume }, context);
const files = (volume: object, spec: Partial<Pod['spec']> = {}, metadata: Partial<Pod['metadata']> = {}) => {
  const made = plan(volume, spec, metadata);
  return made.type === 'files'
    ? made.files.map(
        ({ path, content, mode, owner }) =>
          `${path}=${content} ${mode.toString(8)}${owner === undefined ? '' : ` of ${owner}`}`,
      )
    : [];
};

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

t.test('volumes that are claimed', async (t) => {
  const claim = (claimName: string) => plan({ persistentVolumeClaim: { claimName } });
  t.same(claim('data'), { type: 'directory', path: '/data/volumes/pvc-1' });
  t.same(claim('srv'), { type: 'host', path: '/srv', kind: 'Directory' });
  t.same(claim('disk'), { type: 'host', path: '/mnt/disk', kind: 'Directory' });
  t.throws(() => claim('none'), /persistentvolumeclaim "none" has no volume on this device yet/);
  t.throws(() => claim('share'), /persistentvolume "share" is of a kind that this agent does not support/);
});

t.test('what is in them', async (t) => {
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

t.test('what a pod is told of itself', async (t) => {
  const labels = { tier: 'front', app: 'a "b"' };
  const field = (path: string, fieldPath: string) => ({ path, fieldRef: { fieldPath } });
  const resources = { limits: { cpu: '250m' } };
  const spec = { containers: [container('main', { resources })] };
  const limit = (resource: string, divisor: string) => ({
    path: 'limit',
    resourceFieldRef: { containerName: 'main', resource, divisor },
  });
  const told = (...items: object[]) => files({ downwardAPI: { items } }, spec, { labels });
  t.same(told(field('labels', 'metadata.labels'), field('sub/name', 'metadata.name')), [
    'labels=app="a \\"b\\""\ntier="front" 644',
    'sub/name=web 644',
  ]);
  t.same(told(field('tier', "metadata.labels['tier']"), field('notes', 'metadata.annotations')), [
    'tier=front 644',
    'notes= 644',
  ]);
  t.same(told(limit('limits.cpu', '1m')), ['limit=250 644']);
  t.same(told(limit('limits.memory', '1Mi')), ['limit=1024 644'], 'what the node has');
  t.throws(() => told(field('ip', 'status.podIP')), /field "status.podIP" is not one that a file can have/);
});

t.test('several sources in one volume', async (t) => {
  const token = { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } };
  const sources = [
    token,
    { configMap: { name: 'conf', items: [{ key: 'a', path: 'conf/a' }] } },
    { secret: { name: 'sec' } },
    { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
  ];
  const projected = { sources, defaultMode: 0o440 };
  t.same(files({ projected }), [
    'token=api-token 440',
    'conf/a=A 440',
    'key=secret 440',
    'namespace=default 440',
  ]);
  t.match(plan({ projected }), { path: '/memory/pods/uid-web/volumes/v' }, 'kept in memory');
  t.match(plan({ projected: { sources: sources.slice(1, 2) } }), { path: '/data/pods/uid-web/volumes/v' });
  t.same(
    files({ projected: { sources: [token] } }, { securityContext: { fsGroup: 7 } }),
    ['token=api-token 640'],
    'the group may read it, and nobody else',
  );
  t.same(files({ projected: { sources: [token] } }, { securityContext: { runAsUser: 5 } }), [
    'token=api-token 600 of 5',
  ]);
  const vault = { serviceAccountToken: { path: 't', audience: 'vault', expirationSeconds: 600 } };
  t.same(files({ projected: { sources: [vault] } }), ['t=vault-token 644']);
});

t.test('whose they are', async (t) => {
  const spec = { securityContext: { fsGroup: 2000 } };
  t.match(plan({ emptyDir: {} }, spec), { type: 'directory', group: 2000 });
  t.match(plan({ emptyDir: { medium: 'Memory' } }, spec), { type: 'memory', group: 2000 });
  t.same(files({ secret: { secretName: 'sec', defaultMode: 0o400 } }, spec), ['key=secret 440']);
  t.same(
    Object.keys(plan({ hostPath: { path: '/srv' } }, spec)),
    ['type', 'path', 'kind'],
    'never of the host',
  );
});

t.test('how large they may be in memory', async (t) => {
  const size = (emptyDir: object, spec: Partial<Pod['spec']> = {}) => {
    const made = plan({ emptyDir: { medium: 'Memory', ...emptyDir } }, spec);
    return made.type === 'memory' ? `${made.sizeBytes / 2 ** 20} ${made.isLimited}` : made.type;
  };
  const limited = (memory: string) => container('main', { resources: { limits: { memory } } });
  t.equal(size({}), '1024 false', 'as much as the node has');
  t.equal(size({ sizeLimit: '2Mi' }), '2 true');
  t.equal(size({}, { containers: [limited('64Mi'), limited('32Mi')] }), '96 false');
  t.equal(size({ sizeLimit: '128Mi' }, { containers: [limited('64Mi')] }), '64 true');
  t.equal(size({}, { containers: [limited('64Mi'), container('other')] }), '1024 false');
});

t.test('the files of an image', async (t) => {
  t.match(plan({ image: { reference: 'x:1', pullPolicy: 'Never' } }), {
    type: 'image',
    path: /^\/.*memory.*\/volumes\/v$/,
    image: 'x:1',
    mayPull: false,
  });
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
    [{ nfs: {} }, /of the kind "nfs", which this agent does not support: use emptyDir/],
    [
      { emptyDir: { medium: 'HugePages' } },
      /wants the medium "HugePages", which this agent does not support/,
    ],
    [{ secret: { secretName: 'sec', items: [{ key: 'c', path: 'c' }] } }, /non-existent secret key: c/],
    [
      { projected: { sources: [{ clusterTrustBundle: { path: 'x' } }] } },
      /"clusterTrustBundle" is not supported/,
    ],
    [{ projected: { sources: [{ podCertificate: {} }] } }, /"podCertificate" is not supported/],
    [
      { projected: { sources: [{ serviceAccountToken: { path: 't', audience: 'x' } }] } },
      /there is no token for "x" of service account "" on this device yet: nobody was asked/,
    ],
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
      { name: 'p', persistentVolumeClaim: { claimName: 'data', readOnly: true } },
    ],
  });
  const values = new Map([['POD', 'web-1']]);
  const mounts = (mount: object, spec: object = {}) => {
    const volumeMounts = [{ mountPath: '/m', name: 'e', ...mount }];
    return mountsOf(pod, container('main', { volumeMounts, ...spec }), context, values);
  };
  t.same(mounts({}), [
    { source: '/data/pods/uid-web/volumes/e', target: '/m', readOnly: false, isOurs: false },
  ]);
  t.match(mounts({ readOnly: true }), [{ readOnly: true }]);
  t.match(mounts({ name: 'c' }), [{ readOnly: true }], 'configuration is never written to');
  t.match(mounts({ name: 'p' }), [{ source: '/data/volumes/pvc-1', readOnly: true, isOurs: false }]);
  t.match(mounts({ name: 'c', subPath: 'a' }), [{ subPath: 'a', isOurs: true }]);
  t.match(mounts({ subPath: 'x/y' }), [{ subPath: 'x/y', isOurs: false }]);
  t.match(mounts({ subPathExpr: 'logs/$(POD)' }), [{ subPath: 'logs/web-1' }]);
  t.throws(() => mounts({ subPathExpr: '$(NONE)/x' }), /names a variable that is not set/);
  t.throws(() => mounts({ subPath: '../x' }), /must not contain ".."/);
  t.throws(() => mounts({ subPath: '/x' }), /must not be an absolute path/);
  t.match(mounts({ mountPropagation: 'None' }), [{ propagation: 'rprivate' }]);
  t.match(mounts({ mountPropagation: 'HostToContainer' }), [{ propagation: 'rslave' }]);
  t.throws(() => mounts({ mountPropagation: 'Bidirectional' }), /for privileged containers only/);
  t.match(mounts({ mountPropagation: 'Bidirectional' }, { securityContext: { privileged: true } }), [
    { propagation: 'rshared' },
  ]);
  t.throws(() => mounts({ recursiveReadOnly: 'Enabled' }), /requested recursive read-only mode/);
  t.match(mounts({ recursiveReadOnly: 'IfPossible', readOnly: true }), [{ readOnly: true }]);
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
  await t.rejects(make('none', 'Directory'), /hostPath type check failed: .*none is not a directory/);
  await t.rejects(make('file', 'Directory'), /is not a directory/);
  await t.rejects(make('new', 'File'), /is not a file/);
  await t.rejects(make('new', 'Socket'), /is not a socket file/);
  await t.rejects(make('new', 'CharDevice'), /is not a character device/);
  await t.rejects(make('new', 'BlockDevice'), /is not a block device/);
  await t.rejects(make('new', 'Nonsense'), /is not a Nonsense/);
  await makeVolume({ type: 'host', path: '/dev/null', kind: 'CharDevice' });
  await make('file2', 'FileOrCreate');
  writeFileSync(join(dir, 'file2'), 'kept');
  await make('file2', 'FileOrCreate');
  t.equal(readFileSync(join(dir, 'file2'), 'utf8'), 'kept');
});
