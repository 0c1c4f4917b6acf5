import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { DockerRegistry, layerOf, type PushedManifest } from '../support/docker-registry.ts';
import { Engine } from '../support/engine.ts';
import { rootArchive, WORK } from '../support/images.ts';
import { podOf, SeenPods } from '../support/pods.ts';
import { mayMount, SmallDisk } from '../support/small-disk.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Images from a real registry that wants a password, over a wire that is cut, held up and taken away. */

const MIB = 1024 * 1024;
/** What a registry says besides the layers. */
const TALK_BYTES = 64 * 1024;

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const registry = new DockerRegistry();
const stand = new Stand(engine, 'mqtt', 'image-pulls');
const pods = new SeenPods(stand);
const docker = (...args: string[]) =>
  execFileSync('docker', ['--host', engine.host, ...args], {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
const IMPORTED = ['holdfast.test/imported-saved:1', 'holdfast.test/imported-layout:1'];
t.teardown(async () => {
  await stand.close();
  const found = docker('images', '--format', '{{.Repository}}:{{.Tag}}').split('\n');
  const mine = [
    ...found.filter((name) => name.startsWith(registry.name)),
    ...found.filter((name) => IMPORTED.includes(name)),
  ];
  await registry.close();
  if (mine.length > 0) docker('rmi', '-f', ...mine);
});

const image = (name: string) => `${registry.name}/${name}`;
const podWith = (name: string, of: string, container: object = {}, spec: object = {}) =>
  podOf(
    name,
    { main: { image: of, command: ['sh', '-c', WORK], ...container } },
    {
      nodeName: stand.node,
      terminationGracePeriodSeconds: 1,
      imagePullSecrets: [{ name: 'right' }],
      ...spec,
    },
  );
const secret = (name: string, config: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'kubernetes.io/dockerconfigjson',
  metadata: { name, namespace: 'default' },
  data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
});
/** Reasons and messages of the events about an object. */
const events = async (name: string): Promise<string> => {
  const path = '/api/v1/namespaces/default/events';
  const { items } = (await stand.api.call('GET', path)) as {
    items: { reason: string; message: string; involvedObject: { name: string } }[];
  };
  return items
    .filter(({ involvedObject }) => involvedObject.name === name)
    .map(({ reason, message }) => `${reason}: ${message}`)
    .join('\n');
};
const told = (name: string, what: RegExp) =>
  until(`of ${name} is told ${what}`, async () => what.exec(await events(name))?.[0], 40_000);
const isThere = (name: string) =>
  engine.docker
    .getImage(name)
    .inspect()
    .then(
      () => true,
      () => false,
    );
const remove = (...names: string[]) => stand.kubectl('delete', 'pod', ...names, '--wait');

const base = rootArchive(Date.now());
await registry.start();
await stand.start();
await stand.apply(secret('right', registry.credentials()));
await stand.apply({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'puller', namespace: 'default' },
  imagePullSecrets: [{ name: 'right' }],
});
await stand.apply(secret('wrong', registry.credentials('guess')));
await stand.apply(secret('elsewhere', registry.credentials(undefined, '/others')));

t.test('with the password of a pull secret; what is told of it', async (t) => {
  const digest = await registry.push('team/app', '1', [base], { architectures: ['arm64', 'amd64'] });
  await stand.apply(podWith('has', image('team/app:1')));
  await pods.ready('has');
  const size = await told(
    'has',
    /Pulled: Successfully pulled image "[^"]+" in [\d.ms]+ \([\d.ms]+ including waiting\)\. Image size: \d+ bytes\./,
  );
  t.notMatch(size, /size: 0 bytes/);
  t.match(await events('has'), /Pulling: Pulling image/);
  const found = await pods.container('has');
  t.equal(found?.image, image('team/app:1'));
  t.ok(await isThere(image(`team/app:holdfast-sha256-${digest.slice(7)}`)), 'its digest is kept');

  const served = registry.served;
  await stand.apply(podWith('by-digest', image(`team/app@${digest}`)));
  await pods.ready('by-digest');
  t.match(
    await events('by-digest'),
    /Pulled: Container image "[^"]+@sha256:[^"]+" already present on machine/,
  );
  t.equal((await pods.container('by-digest'))?.image, image(`team/app@${digest}`));
  t.equal(registry.served, served, 'the engine knows it by that name too');
  await remove('by-digest');
});

t.test('layers that the engine has are not fetched; a Secret may be of one part of a registry', async (t) => {
  const own = layerOf('own', randomBytes(MIB));
  await registry.push('others/app', '2', [base, own]);
  const served = registry.served;
  await stand.apply(
    podWith('second', image('others/app:2'), {}, { imagePullSecrets: [{ name: 'elsewhere' }] }),
  );
  await pods.ready('second');
  const bytes = registry.served - served;
  t.ok(bytes >= MIB && bytes < MIB + TALK_BYTES, `${bytes} bytes for 1 MiB of its own`);
  await remove('second');
});

t.test('who may not have it is told so, and nothing is kept waiting by it', async (t) => {
  await registry.push('team/app', '3', [base, layerOf('three', randomBytes(1000))]);
  await registry.push('team/arm', '1', [base], { architectures: ['arm64', 's390x'] });
  await registry.push('team/one', '1', [base], { architecture: 'arm64' });
  const of = (names: string[]) => ({ imagePullSecrets: names.map((name) => ({ name })) });
  await stand.apply(podWith('wrong', image('team/app:3'), {}, of(['wrong'])));
  await stand.apply(podWith('missing', image('team/app:3b'), {}, of(['nowhere'])));
  await stand.apply(podWith('present', image('team/app:1'), { imagePullPolicy: 'Always' }, of(['wrong'])));
  await stand.apply(podWith('index', image('team/arm:1')));
  await stand.apply(podWith('single', image('team/one:1')));
  await stand.apply(podWith('never', image('team/app:3c'), { imagePullPolicy: 'Never' }));
  await told('wrong', /Failed: .*does not give "team\/app" to the credentials of its pull secrets: 401/);
  await told('wrong', /BackOff: Back-off pulling image/);
  await told('missing', /FailedToRetrieveImagePullSecret: .*\(nowhere\)/);
  await told('missing', /Failed: .*to who shows no credentials/);
  await told('present', /Failed: .*401/);
  t.match(
    (await pods.container('present'))?.state,
    { waiting: { reason: /ErrImagePull|ImagePullBackOff/ } },
    'a copy that is there is not for it',
  );
  await told('index', /is for linux\/arm64, linux\/s390x, and this device is linux\/amd64/);
  await told('single', /is for linux\/arm64, and this device is linux\/amd64/);
  await pods.when('never', 'never', ({ state }) => state?.waiting?.reason === 'ErrImageNeverPull');
  t.notMatch(stand.agent.lines.join('\n'), /guess|open-sesame/, 'no password is in the log');
  await stand.apply(podWith('beside-wrong', image('team/app:3')));
  const askedAt = performance.now();
  await pods.ready('beside-wrong');
  t.ok(performance.now() - askedAt < 9_000, 'who may have it does not wait for the back-off of who may not');
  await remove('wrong', 'missing', 'present', 'index', 'single', 'never', 'beside-wrong');
  await registry.push('team/app', '4', [base, layerOf('four', randomBytes(1000))]);
  // The right password is used at once, not after the back-off.
  await stand.apply(podWith('righted', image('team/app:4'), {}, of(['later'])));
  await told('righted', /Failed: /);
  await stand.apply(secret('later', registry.credentials()));
  const beganAt = performance.now();
  await pods.ready('righted');
  t.ok(performance.now() - beganAt < 9_000, 'without the rest of the back-off');
  await remove('righted');
});

t.test('cut off in a layer: the next attempt goes on; others are healed while a pull hangs', async (t) => {
  const [first, second] = [layerOf('a', randomBytes(3 * MIB)), layerOf('b', randomBytes(6 * MIB))];
  await registry.push('team/large', '1', [base, first, second]);
  const served = registry.served;
  registry.limit('cut', 6 * MIB); // all of the first, half of the second
  await stand.apply(podWith('large', image('team/large:1')));
  await told('large', /Failed: /);
  const before = registry.served - served;
  t.ok(before <= 6 * MIB, `${before} bytes before it was cut`);
  registry.unlimited();
  registry.limit('hold', 2 * MIB);
  await until('the pull hangs', () => registry.served - served > before + MIB, 30_000);
  const id = await pods.id('has');
  await engine.kill(id);
  await until('another one runs', async () => (await pods.id('has')) !== id && (await pods.isReady('has')));
  await stand.apply(podWith('beside', image('team/app:1')));
  await pods.ready('beside');
  t.notOk(await pods.isReady('large'), 'it hangs still');
  registry.unlimited();
  await until('the pod is ready', () => pods.isReady('large'), 60_000);
  const all = registry.served - served;
  t.ok(all > 9 * MIB && all < 9 * MIB + MIB / 2, `${all} bytes for 9 MiB in two attempts`);
  t.same(readdirSync(join(stand.agentDir, 'images')), [], 'nothing is left of it');
  await remove('large', 'beside');
});

t.test('a manifest that lies', async (t) => {
  const layer = layerOf('lie', randomBytes(100_000));
  const withSize = (change: (size: number) => number) => ({
    lie: (manifest: PushedManifest) => ({
      ...manifest,
      layers: manifest.layers.map((each) => ({ ...each, size: change(each.size) })),
    }),
  });
  const lies = [
    [
      'shorter',
      withSize((size) => size - 1),
      /a part of the image is longer than the \d+ bytes that the manifest says, must be sha256:/,
    ],
    [
      'longer',
      withSize((size) => size + 1),
      /the manifest says that sha256:\w+ has \d+ bytes, and it has \d+: push/,
    ],
    ['huge', withSize(() => 2 ** 50), /needs about \d+ MiB on .*: make room/],
    [
      'swapped',
      { lie: (manifest: PushedManifest) => ({ ...manifest, layers: manifest.layers.toReversed() }) },
      /the engine did not take/,
    ],
    [
      'config',
      {
        lie: (manifest: PushedManifest) => ({ ...manifest, config: manifest.layers[0] ?? manifest.config }),
      },
      /the configuration of "[^"]+" is of a kind that is not known here: push it anew/,
    ],
  ] as const;
  for (const [name, options] of lies) {
    await registry.push(`lies/${name}`, '1', [base, layer], options);
    await stand.apply(podWith(name, image(`lies/${name}:1`)));
  }
  for (const [name, , problem] of lies) t.ok(await told(name, problem), name);
  for (const [name] of lies) t.notOk(await isThere(image(`lies/${name}:1`)), `${name} was not taken`);
  t.ok(await pods.isReady('has'), 'the others go on');
  await remove(...lies.map(([name]) => name));
});

t.test('what does not fit is not begun', { skip: !mayMount && 'only root may mount' }, async (t) => {
  await registry.push('team/wide', '1', [base, layerOf('c', randomBytes(3 * MIB))]);
  const served = registry.served;
  const disk = new SmallDisk(2 * 1024, join(stand.agentDir, 'images'));
  try {
    await stand.apply(podWith('wide', image('team/wide:1')));
    await told('wide', /needs about \d+ MiB on ".*images", and \d MiB are free: make room/);
    t.ok(registry.served - served < TALK_BYTES, 'not one layer was asked for');
  } finally {
    disk.remove();
  }
  await remove('wide');
});

t.test('Always: while the registry is away, what is there is used', async (t) => {
  await registry.shut();
  await stand.apply(podWith('always', image('team/app:1'), { imagePullPolicy: 'Always' }));
  await pods.ready('always');
  t.match(await events('always'), /Failed: .*can not be reached/);
  t.match(await events('always'), /Pulled: Container image "[^"]+" already present on machine/);
  await registry.open();
  await remove('always');
});

t.test('archives in the import directory are imported, once', async (t) => {
  const inbox = join(stand.agentDir, 'import');
  const [saved = '', layout = ''] = IMPORTED;
  const from = image('team/app:1');
  docker('tag', from, saved);
  execFileSync('docker', ['--host', engine.host, 'save', '-o', join(stand.dir, 'saved.tar'), saved]);
  docker('rmi', saved);
  writeFileSync(
    join(inbox, '.saved'),
    gzipSync(execFileSync('cat', [join(stand.dir, 'saved.tar')], { maxBuffer: 99 * MIB })),
  );
  renameSync(join(inbox, '.saved'), join(inbox, 'saved.tar.gz'));
  writeFileSync(
    join(inbox, 'layout.tar.zst'),
    zstdCompressSync(layoutOf(layout, base, join(stand.dir, 'layout'))),
  );
  writeFileSync(join(inbox, 'broken.tar'), 'this is no archive');
  await until('both are there', async () => (await isThere(saved)) && (await isThere(layout)), 20_000);
  await stand.agent.line(
    /an archive of images was not imported.*broken|broken.*an archive of images was not imported/,
  );
  await stand.apply(podWith('imported', layout, { imagePullPolicy: 'Never' }));
  t.ok(await pods.ready('imported'));
  await remove('imported');
});

t.test('what nobody needs goes when the disk is full; the rest stays', async (t) => {
  await registry.push('team/roll', '1', [base, layerOf('r1', randomBytes(1000))]);
  await registry.push('team/roll', '2', [base, layerOf('r2', randomBytes(1000))]);
  await registry.push('team/named', '1', [base, layerOf('n', randomBytes(1000))]);
  const roll = (version: number) => {
    const of = { imagePullSecrets: undefined, serviceAccountName: 'puller' };
    const pod = podWith(`roll-${version}`, image(`team/roll:${version}`), {}, of);
    return {
      ...pod,
      metadata: { ...pod.metadata, labels: { app: 'roll', 'pod-template-hash': `${version}` } },
    };
  };
  await stand.apply(roll(1));
  await stand.apply(podWith('named', image('team/named:1')));
  await Promise.all([pods.ready('roll-1'), pods.ready('named')]);
  docker('tag', image('team/named:1'), image('foreign:1'));
  await remove('roll-1', 'named');
  await stand.apply(roll(2));
  await pods.ready('roll-2');
  t.ok(await isThere(image('team/large:1')));
  await stand.agent.end();
  const thresholds = ['--image-gc-high-threshold-percent', '0', '--image-gc-low-threshold-percent', '0'];
  await stand.startAgent(...thresholds, '--image-minimum-gc-age', '0s');
  await until('images are gone', async () => !(await isThere(image('team/large:1'))));
  await told(stand.node, /FreeDiskSpaceFailed: /);
  t.notOk(await isThere(image('others/app:2')), 'what no pod has any more');
  t.ok(await isThere(image('team/app:1')), 'a pod has it');
  t.ok(await isThere(image('team/roll:2')), 'and this');
  t.ok(await isThere(image('team/roll:1')), 'what that workload had before');
  t.ok(await isThere(image('team/named:1')), 'somebody has given it a name');
  for (const kept of IMPORTED) t.ok(await isThere(kept), `${kept} was imported`);
  t.notMatch(stand.agent.lines.join('\n'), /an archive of images was imported/, 'nor is it imported anew');
});

/** An OCI image layout of one layer, as an archive. */
function layoutOf(name: string, layer: Buffer, dir: string): Buffer {
  mkdirSync(join(dir, 'blobs/sha256'), { recursive: true });
  const put = (content: Buffer, mediaType: string) => {
    const hex = createHash('sha256').update(content).digest('hex');
    writeFileSync(join(dir, 'blobs/sha256', hex), content);
    return {
      mediaType: `application/vnd.oci.image.${mediaType}`,
      digest: `sha256:${hex}`,
      size: content.length,
    };
  };
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  const diffId = `sha256:${createHash('sha256').update(layer).digest('hex')}`;
  const config = {
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [diffId] },
    config: { Env: ['A=b'] },
  };
  const manifest = {
    schemaVersion: 2,
    config: put(json(config), 'config.v1+json'),
    layers: [put(gzipSync(layer), 'layer.v1.tar+gzip')],
  };
  const annotations = { 'io.containerd.image.name': name };
  writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const index = {
    schemaVersion: 2,
    manifests: [{ ...put(json(manifest), 'manifest.v1+json'), annotations }],
  };
  writeFileSync(join(dir, 'index.json'), JSON.stringify(index));
  return execFileSync('tar', ['-C', dir, '-c', '.'], { maxBuffer: 64 * MIB });
}
