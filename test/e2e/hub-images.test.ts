import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import type { Identity } from '../../agent/state/agent-state.ts';
import { Engine } from '../support/engine.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { podOf } from '../support/pods.ts';
import { Program } from '../support/program.ts';
import { Stand } from '../support/stand.ts';

/* The hub as the place where its devices have images from: no registry is anywhere. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const NAME = 'holdfast.test/hub-images';
const docker = (...args: string[]) =>
  execFileSync('docker', ['--host', engine.host, ...args], {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
  });

t.test('images of the hub', async (t) => {
  const untilTheEnd = (work: () => unknown) => t.teardown(work);
  const stand = new Stand(engine, 'mqtt', 'hub-images');
  t.teardown(() => stand.close());
  await stand.start();
  await makeAppImages(engine, [1], 'hub-images');
  const context = t.testdir();
  writeFileSync(join(context, 'Dockerfile'), `FROM ${NAME}:1\nCOPY large /large\n`);
  writeFileSync(join(context, 'large'), randomBytes(8 * 1024 * 1024));
  docker('build', '-q', '-t', `${NAME}:2`, context);
  const dataDir = join(stand.dir, 'hub');
  const run = async (program: Program) => ({ code: await program.exit(), text: program.lines.join('\n') });
  const images = (...args: string[]) =>
    run(new Program('hub/main.ts', ['images', ...args, '--data-dir', dataDir]));
  const pull = (name: string) => run(stand.runAgent('image', 'pull', name));
  const forget = () => {
    const names = docker('images', '--format', '{{.Repository}}:{{.Tag}}', NAME).split('\n');
    docker('rmi', '-f', `${NAME}:1`, ...names.filter((name) => name && !name.includes('<none>')));
  };
  const blobs = () => readdirSync(join(dataDir, 'images/blobs/sha256'));
  /** The one layer that the engine has of no other image. */
  const largest = () => {
    const sizes = blobs().map(
      (name) => [name, statSync(join(dataDir, 'images/blobs/sha256', name)).size] as const,
    );
    return sizes.sort(([, a], [, b]) => b - a)[0]?.[0] ?? '';
  };

  await t.test('are added, listed, replaced, removed; no blob is kept twice or for nothing', async (t) => {
    t.match(await images('list'), { code: 0, text: /no images/ });
    t.match(await images('add', `${NAME}:1`, `${NAME}:2`), {
      code: 0,
      text: /:1 \(amd64\) added\n.*:2 \(amd64\) added/,
    });
    t.equal(blobs().length, 2 + 2 + 2, 'two layers, of which both images have one');
    t.match(await images('add', `${NAME}:2`), { code: 0 });
    t.equal(blobs().length, 6);
    t.match(await images('list'), { text: /IMAGE +PROCESSOR +SIZE\n.*:1 +amd64 .*\n.*:2 +amd64 +9\.\d MiB/ });
    t.match(await images('add', `${NAME}:none`), { code: 1, text: /no image ".*:none": pull it first/ });
    t.match(await images('remove', `${NAME}:none`), { code: 1, text: /there is no image/ });
    const both = await Promise.all([images('add', `${NAME}:1`), images('add', `${NAME}:2`)]);
    for (const { code, text } of both)
      t.ok(code === 0 || /another command .*changes the images: try again/.test(text), text);
    t.equal(blobs().length, 6, 'two at once take nothing from each other');
    writeFileSync(join(dataDir, 'images/.changing'), '999999999');
    mkdirSync(join(dataDir, '.images-999999999-a/saved'), { recursive: true });
    t.match(await images('add', `${NAME}:1`), { code: 0 }, 'one that was killed keeps nobody waiting');
    t.notOk(
      readdirSync(dataDir).some((name) => name.startsWith('.images-')),
      'and no room',
    );
    chownSync(dataDir, 65_532, 65_532);
    await images('remove', `${NAME}:1`);
    t.match(await images('add', `${NAME}:2`), { code: 0 });
    for (const path of ['', 'names.json', 'blobs/sha256', ...blobs().map((name) => `blobs/sha256/${name}`)])
      t.equal(statSync(join(dataDir, 'images', path)).uid, 65_532, `${path} is of the user of the hub`);
    chownSync(dataDir, 0, 0);
    t.equal(blobs().length, 4, 'what only the other needed is gone');
  });

  await t.test(
    'a device that is told so has them from there; others it asks their registries for',
    async (t) => {
      await stand.agent.end();
      const agent = stand.runAgent('run', '--registry', 'hub');
      untilTheEnd(() => agent.end('SIGKILL'));
      await agent.line(/connected to the hub/);
      forget();
      const main = (image: string) => ({ main: { image, command: ['sh', '-c', WORK] } });
      await stand.apply(podOf('has', main(`${NAME}:2`), { nodeName: stand.node }));
      await stand.kubectl('wait', '--for=condition=Ready', 'pod/has', '--timeout=80s');
      t.same(readdirSync(join(stand.agentDir, 'images')), [], 'nothing is left of the download');
      await stand.apply(podOf('lacks', main('127.0.0.1:9/nobody:1'), { nodeName: stand.node }));
      await stand.kubectl(
        'wait',
        '--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImagePull',
        'pod/lacks',
        '--timeout=60s',
      );
      t.match(
        await stand.kubectl('get', 'events', '--field-selector', 'involvedObject.name=lacks'),
        /127.0.0.1:9/,
      );
      await stand.kubectl('delete', 'pod', '--all', '--wait');
    },
  );

  await t.test('a download goes on where it was cut off; what is damaged is fetched anew', async (t) => {
    const large = largest();
    const content = readFileSync(join(dataDir, 'images/blobs/sha256', large));
    const partial = join(stand.agentDir, 'images', large);
    forget();
    mkdirSync(join(stand.agentDir, 'images'), { recursive: true });
    writeFileSync(partial, content.subarray(0, 5_000_000));
    t.match(await pull(`${NAME}:2`), { code: 0, text: /pulled/ });
    t.equal(spawnSync('docker', ['--host', engine.host, 'image', 'inspect', `${NAME}:2`]).status, 0);
    forget();
    writeFileSync(partial, Buffer.alloc(5_000_000, 'x'));
    t.match(await pull(`${NAME}:2`), { code: 0, text: /pulled/ }, 'of another content');
    forget();
    writeFileSync(partial, Buffer.alloc(content.length + 1));
    t.match(await pull(`${NAME}:2`), { code: 0, text: /pulled/ }, 'longer than it can be');
  });

  await t.test('what can not be had is told in a line', async (t) => {
    t.match(await pull(`${NAME}:9`), { code: 3, text: /the hub has no image ".*:9": "holdfast images add"/ });
    t.match(await pull(`${NAME}@sha256:${'0'.repeat(64)}`), { code: 3 });
    forget();
    const damaged = join(dataDir, 'images/blobs/sha256', largest());
    const whole = readFileSync(damaged);
    writeFileSync(damaged, Buffer.alloc(whole.length, 'x'));
    t.match((await pull(`${NAME}:2`)).code, 1);
    writeFileSync(damaged, whole);
    const names = join(dataDir, 'images/names.json');
    const right = readFileSync(names, 'utf8');
    writeFileSync(names, right.replaceAll('amd64', 'arm64'));
    t.match(await pull(`${NAME}:2`), {
      code: 1,
      text: /for linux\/arm64, and this device is linux\/amd64: build it for linux\/amd64/,
    });
    writeFileSync(names, right);
    await stand.cutLink();
    t.match(await pull(`${NAME}:2`), { code: 1, text: /the hub at .* does not give images/ });
    await stand.restoreLink();
  });

  await t.test('they are for devices of this hub, and for nobody else', async (t) => {
    const identity = JSON.parse(readFileSync(join(stand.agentDir, 'identity.json'), 'utf8')) as Identity;
    const { key, certificate: cert, caCertificate: ca } = identity;
    const get = (pair: object, path = '/v2/', method = 'GET') =>
      new Promise<{ code: number; text: string }>((resolve, reject) => {
        const to = {
          host: '127.0.0.1',
          port: stand.ports.grpc,
          ca,
          ALPNProtocols: ['http/1.1'],
          path,
          method,
        };
        request({ ...to, ...pair, agent: false }, async (answer) => {
          let text = '';
          for await (const part of answer) text += part;
          resolve({ code: answer.statusCode ?? 0, text });
        })
          .once('error', reject)
          .end();
      });
    t.match(await get({ key, cert }), { code: 200, text: '{}' });
    t.match(await get({}), { code: 403, text: /for devices of this hub/ });
    t.match(await get({ key, cert }, '/v2/x/manifests/1', 'PUT'), { code: 405, text: /images add/ });
    t.match(await get({ key, cert }, '/v2/x/blobs/..%2f..%2fca.json'), { code: 404, text: /BLOB_UNKNOWN/ });
    t.match(await get({ key, cert }, '/nonsense'), { code: 404, text: /NAME_UNKNOWN/ });
    const revoke = new Program('hub/main.ts', [
      'node',
      'revoke',
      stand.node,
      '--kubeconfig',
      stand.kubeconfig,
    ]);
    t.equal(await revoke.exit(), 0, revoke.lines.join());
    t.match(await get({ key, cert }), { code: 403 }, 'nor for one that was revoked');
  });
});
