import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Volume } from 'kubernetes-types/core/v1.d.ts';
import type { Test } from 'tap';
import { goArchitecture } from '../../agent/node/facts.ts';
import { DockerApi } from '../../scripts/docker-api.ts';
import type { Engine } from '../support/engine.ts';
import { appImage, makeAppImages, rootArchive } from '../support/images.ts';
import { listOf, podOf, SeenPods } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Volumes that are the files of an image: https://kubernetes.io/docs/tasks/configure-pod-container/image-volumes/ */

const NAME = 'volume-files';
const LAYERED = `holdfast.test/${NAME}-layered:1`;

const imageVolume = (reference: string, pullPolicy = 'IfNotPresent') =>
  [{ name: 'files', image: { reference, pullPolicy } }] as unknown as Volume[];
const reader = (name: string, reference: string, mounts: object = {}, pullPolicy?: string) =>
  podOf(
    name,
    { main: { volumeMounts: [{ name: 'files', mountPath: '/files', ...mounts }] } },
    { volumes: imageVolume(reference, pullPolicy) },
  );

/** With a layer of its own on the other, which also takes something away, and a link that leads out. */
async function makeLayered(engine: Engine): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'hf-layered-'));
  const upper = join(dir, 'upper');
  mkdirSync(join(upper, 'www'), { recursive: true });
  writeFileSync(join(upper, 'upper'), 'upper\n');
  writeFileSync(join(upper, 'www/.wh.version'), ''); // how layers say that something is gone
  symlinkSync('/etc', join(upper, 'out'));
  const layers = [rootArchive(7), execFileSync('tar', ['-C', upper, '-c', '.'])];
  const names = layers.map((layer, index) => {
    writeFileSync(join(dir, `${index}.tar`), layer);
    return `${index}.tar`;
  });
  const diffIds = layers.map((layer) => `sha256:${createHash('sha256').update(layer).digest('hex')}`);
  const config = {
    architecture: goArchitecture(),
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
  writeFileSync(join(dir, 'config.json'), JSON.stringify(config));
  writeFileSync(
    join(dir, 'manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: [LAYERED], Layers: names }]),
  );
  const files = ['manifest.json', 'config.json', ...names];
  const archive = execFileSync('tar', ['-C', dir, '-c', ...files], { maxBuffer: 64 * 1024 * 1024 });
  await new DockerApi(engine.host).loadImage(archive);
  rmSync(dir, { recursive: true });
}

export async function imageVolumes(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'grpc', 'device-image-volumes');
  const pods = new SeenPods(stand);
  t.teardown(async () => {
    await stand.close();
    for (const image of [LAYERED, appImage(7, NAME)])
      await engine.docker
        .getImage(image)
        .remove({ force: true })
        .catch(() => {});
  });
  await makeAppImages(engine, [1]);
  await makeAppImages(engine, [7], NAME);
  await makeLayered(engine);
  await stand.start();
  await stand.apply(
    listOf(
      reader('one', appImage(7, NAME)),
      reader('layered', LAYERED),
      reader('part', appImage(7, NAME), { subPath: 'www' }),
      reader('escaping', LAYERED, { subPath: 'out' }),
      reader('never', 'holdfast.test/none:1', {}, 'Never'),
      reader('absent', '127.0.0.1:1/none:1'),
    ),
  );
  const sh = (pod: string, script: string) => pods.exec(pod, 'main', 'sh', '-c', script);

  await t.test('its files are there, and nobody can change them', async (t) => {
    for (const name of ['one', 'layered', 'part']) await pods.ready(name);
    t.equal(await sh('one', 'cat /files/www/version'), '7');
    t.equal(await sh('layered', 'cat /files/upper; ls /files/www; test -x /files/bin/busybox'), 'upper');
    t.equal(await sh('part', 'cat /files/version'), '7');
    await t.rejects(sh('one', 'echo x > /files/www/version'), /Read-only file system/);
  });

  await t.test('what cannot be is told', async (t) => {
    const waits = (name: string, reason: string) =>
      pods.when(`it waits for ${reason}`, name, ({ state }) => state?.waiting?.reason === reason);
    await waits('absent', 'ImagePullBackOff');
    await until('what is wrong with its name', async () =>
      /not present with pull policy of Never/.test(JSON.stringify(await pods.get('never'))),
    );
    await until('a link in an image leads nowhere', async () =>
      /subPath|link/.test((await pods.container('escaping'))?.state?.waiting?.message ?? ''),
    );
    t.equal((await pods.container('one'))?.restartCount, 0);
  });

  await t.test('another agent, and another container', async (t) => {
    await stand.agent.end('SIGKILL');
    await stand.startAgent();
    await engine.kill(await pods.id('layered'));
    await pods.when('it runs again', 'layered', ({ restartCount, ready }) => restartCount === 1 && ready);
    t.equal(await sh('layered', 'cat /files/upper'), 'upper');
  });

  await t.test('nothing of it is left', async (t) => {
    const names = ['one', 'layered', 'part', 'escaping', 'never', 'absent'];
    await stand.kubectl('delete', 'pod', ...names, '--wait', '--timeout=60s');
    await until(
      'all is unmounted',
      () => !readFileSync('/proc/self/mountinfo', 'utf8').includes(stand.runDir),
    );
    const images = await engine.docker.listImages();
    t.ok(
      images.some(({ RepoTags }) => RepoTags?.includes(LAYERED)),
      'the image is there',
    );
  });
}
