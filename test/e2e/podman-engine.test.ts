import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import t from 'tap';
import { engineCredentials } from '../../agent/images/engine-credentials.ts';
import { importArchive } from '../../agent/images/import-archive.ts';
import { monotonicMs } from '../../agent/monotonic.ts';
import { DockerRuntime } from '../../agent/runtime/docker-runtime.ts';
import { INFRA_COMMAND } from '../../agent/runtime/infra-image.ts';
import type { ContainerSpec, ObservedContainer } from '../../agent/runtime/runtime.ts';
import { DockerRegistry } from '../support/docker-registry.ts';
import { appImage, makeAppImages, rootArchive, WORK } from '../support/images.ts';
import { whyNoPodman } from '../support/podman-engine.ts';
import { shell } from '../support/pods.ts';
import { startPodman } from '../support/test-engine.ts';
import { until } from '../support/until.ts';

/* The agent's runtime on Debian's Podman: what that does otherwise than Docker, and pods must not notice. */

const MIB = 1024 * 1024;
/** Leaves a file of 16 MiB in the cache. */
const WRITE = `dd if=/dev/zero of=/written bs=1M count=16 2>/dev/null; ${WORK}`;

t.test('containers on Podman', { skip: whyNoPodman() ?? false }, async (t) => {
  const registry = new DockerRegistry();
  t.teardown(() => registry.close());
  await registry.start();
  const engine = await startPodman(t, [registry.name]);
  await makeAppImages(engine, [1, 2]);
  const runtime = new DockerRuntime({
    ...{ host: engine.host, node: 'podman-engine', monotonicMs },
    credentials: (image, secrets) => engineCredentials(image, secrets, engine.host),
  });
  let made = 0;
  const create = (rest: Partial<ContainerSpec>) => {
    const container = `c${made++}`;
    return runtime.create({
      identity: {
        ...{ role: 'container', podUid: 'u', podNamespace: 'default', podName: 'p', container, attempt: 0 },
        ...{ specHash: '', crashes: 0, graceSeconds: 1, infra: '', podSinceMs: 0, podIp: '', podDevices: '' },
      },
      image: appImage(1),
      command: shell(WORK),
      network: { type: 'host' },
      ...{ env: [], mounts: [], ports: [] },
      ...rest,
    });
  };
  const run = async (rest: Partial<ContainerSpec>) => {
    const id = await create(rest);
    await runtime.start(id);
    return id;
  };
  const ended = (id: string): Promise<ObservedContainer> =>
    until('it has ended', async () => {
      const found = await runtime.inspect(id);
      return found?.state === 'exited' ? found : undefined;
    });
  const logsOf = async (id: string) => {
    let text = '';
    const signal = new AbortController().signal;
    for await (const part of await runtime.logs(id, { follow: false, timestamps: false }, signal))
      text += Buffer.from(part).toString();
    return text;
  };

  await t.test('its version is told as its own', async (t) => {
    t.match((await runtime.info()).version, /^podman:\/\/4\./);
    t.match(await runtime.inspect(await create({})), { engine: 'podman', state: 'created' });
  });

  await t.test('who ends for want of memory, and who is only killed', async (t) => {
    const greedy = 'x=$(dd if=/dev/zero bs=1M count=64 2>/dev/null | busybox tr "\\0" a)';
    const [oom, killed] = [
      await run({ command: shell(greedy), memoryBytes: 16 * MIB }),
      await run({ memoryBytes: 16 * MIB }),
    ];
    t.match(await ended(oom), { exitCode: 137, oomKilled: true });
    await runtime.kill(killed);
    t.match(await ended(killed), { exitCode: 137, oomKilled: false });
  });

  await t.test('a root that is read only, and a mount in it', async (t) => {
    const source = join(engine.dir, 'mounted');
    mkdirSync(source);
    const tries = ['/', '/tmp/', '/run/', '/var/tmp/', '/tmp/own/'].map(
      (dir) => `touch ${dir}x 2>/dev/null && echo ${dir}`,
    );
    const id = await run({
      command: shell(`${tries.join(';')}; true`),
      readOnlyRoot: true,
      mounts: [{ source, target: '/tmp/own', readOnly: false }],
    });
    await ended(id);
    t.equal(await logsOf(id), '/tmp/own/\n');
  });

  await t.test('a mount whose source is missing is refused, not made', async (t) => {
    const source = join(engine.dir, 'missing');
    const mounts = [{ source, target: '/x', readOnly: false }];
    await t.rejects(create({ mounts }), {
      kind: 'other',
      message: /bind source path does not exist: .*missing/,
    });
  });

  await t.test('to join a network that has ended does not bring it back', async (t) => {
    const owner = await run({});
    const joiner = await create({ network: { type: 'container', id: owner } });
    await runtime.kill(owner);
    await ended(owner);
    await t.rejects(runtime.start(joiner), { kind: 'gone', message: /it does not run/ });
    t.match(await runtime.inspect(owner), { state: 'exited' });
  });

  await t.test('who watches a container is killed, and then the container', async (t) => {
    const id = await run({});
    const { pid = 0 } = (await runtime.inspect(id)) ?? {};
    const [, conmon] = /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    t.match(readFileSync(`/proc/${conmon}/cmdline`, 'utf8'), /conmon.*-c\0[0-9a-f]{64}/);
    for (const each of [Number(conmon), pid]) process.kill(each, 'SIGKILL');
    t.match(await runtime.inspect(id), { state: 'running' }, 'Podman does not know');
    await runtime.kill(id);
    t.match(await runtime.inspect(id), {
      ...{ state: 'exited', exitCode: 137, oomKilled: false, finishedAtMs: Number },
      error: /Podman did not learn of its end/,
    });
    await runtime.remove(id);
    t.equal(await runtime.inspect(id), undefined);
  });

  await t.test('the image of infra containers, which somebody removes, is made again', async (t) => {
    const image = await runtime.infraImage();
    await engine.docker.getImage(image).remove();
    await t.rejects(create({ image, command: INFRA_COMMAND }), { kind: 'image-absent', message: image });
    const id = await run({ image: await runtime.infraImage(), command: INFRA_COMMAND });
    t.match(await runtime.inspect(id), { state: 'running' });
  });

  await t.test('what it uses, without the files that nobody reads any more', async (t) => {
    const id = await run({ command: shell(WRITE) });
    const signal = new AbortController().signal;
    await until('the file is written', async () => (await runtime.diskUse(id)) >= 16 * MIB);
    const found = await runtime.stats(id, signal);
    t.ok((found?.workingSetBytes ?? 0) < 8 * MIB, `${found?.workingSetBytes}`);
    t.ok((found?.processes ?? 0) >= 2);
    t.equal(await runtime.stats('0'.repeat(64), signal), undefined, 'of one that is gone');
  });

  await t.test('images: pulled with a password, found, listed, told of, removed', async (t) => {
    const name = `${registry.name}/team/app:1`;
    const digest = await registry.push('team/app', '1', [rootArchive(1)]);
    const pull = (password?: string) => {
      const config = Buffer.from(registry.credentials(password)).toString('base64');
      const secrets = [{ type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': config } }];
      return runtime.pull(name, { secrets, onProgress: () => {} });
    };
    await t.rejects(pull('guess'), { kind: 'image-denied', message: 'team/app:1' });
    t.equal(await runtime.findImage(name), undefined);
    const abort = new AbortController();
    const changes = (await runtime.changes(abort.signal))[Symbol.asyncIterator]();
    await pull();
    t.match((await changes.next()).value, { changedImages: true });
    abort.abort();
    t.match((await runtime.findImage(name))?.digests, [`${registry.name}/team/app@${digest}`]);
    t.ok(await runtime.findImage(`${registry.name}/team/app@${digest}`));
    const id = await create({ image: name });
    const stored = async () => (await runtime.images()).find(({ names }) => names.includes(name));
    t.match(await stored(), { isUsed: true });
    await runtime.removeImage(name);
    t.ok(await stored(), 'a container is of it');
    await runtime.remove(id);
    t.match(await stored(), { isUsed: false });
    await runtime.removeImage(name);
    t.notOk(await stored());
  });

  await t.test('an archive of an image', async (t) => {
    const file = join(engine.dir, 'saved.tar');
    const saved = await buffer(await engine.docker.getImage(appImage(2)).get());
    writeFileSync(file, saved);
    await engine.docker.getImage(appImage(2)).remove();
    t.equal(await runtime.findImage(appImage(2)), undefined);
    t.same(await importArchive(file, { engine: engine.host, dataDir: engine.dir }), [appImage(2)]);
    await ended(await run({ image: appImage(2), command: ['true'] }));
  });

  await t.test('logs take no more than 16 MiB', async (t) => {
    const line = 'x'.repeat(1_000);
    const id = await run({
      command: shell(`busybox awk 'BEGIN { for (i = 0; i < 40000; i++) print "${line}" }'`),
    });
    await ended(id);
    t.ok((await runtime.diskUse(id)) < 18 * MIB);
  });
});
