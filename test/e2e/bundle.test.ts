import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Engine } from '../support/engine.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { makeArchive, newSigningKey } from '../support/packages.ts';
import { podOf } from '../support/pods.ts';
import { Program } from '../support/program.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* One file for a site without a network: made at the hub, taken by the device alone, or not taken at all. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const NAME = 'holdfast.test/bundled';
const docker = (...args: string[]) =>
  execFileSync('docker', ['--host', engine.host, ...args], {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
  });
const hasImage = (name: string) =>
  spawnSync('docker', ['--host', engine.host, 'image', 'inspect', name], { stdio: 'ignore' }).status === 0;

t.test('bundles', async (t) => {
  const stand = new Stand(engine, 'mqtt', 'bundle-device');
  t.teardown(() => stand.close());
  await stand.start();
  await makeAppImages(engine, [1], 'bundled');
  const dir = t.testdir({
    manifests: { 'web.yaml': 'kind: ConfigMap\n' },
    stick: {},
  });
  const archive = makeArchive({ dir: join(dir, 'packages'), key: newSigningKey(), version: '1.0.0' });
  // Two images over the same layer, as applications of one site have.
  for (const version of ['2', '3'])
    execFileSync('docker', ['--host', engine.host, 'build', '-q', '-t', `${NAME}:${version}`, '-'], {
      input: `FROM ${NAME}:1\nLABEL version=${version}\nRUN echo ${version} > /version\n`,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  const file = join(dir, 'site.bundle');
  const bundle = async (...args: string[]) => {
    const program = new Program('hub/main.ts', ['bundle', ...args, '--data-dir', join(stand.dir, 'hub')]);
    return { code: await program.exit(), text: program.lines.join('\n') };
  };
  const device = async (...args: string[]) => {
    const program = stand.runAgent('bundle', ...args);
    return { code: await program.exit(), text: program.lines.join('\n') };
  };

  await t.test(
    'made of images, packages and manifests; layers that images share are in it once',
    async (t) => {
      const contents = ['--packages', join(dir, 'packages'), '--manifests', join(dir, 'manifests')];
      const made = await bundle('create', file, '--images', `${NAME}:2,${NAME}:3`, ...contents);
      t.equal(made.code, 0, made.text);
      t.match(
        made.text,
        /image holdfast.test\/bundled:2 \(amd64\)\nimage .*:3 .*\nmanifests\/web.yaml\npackages\/holdfast-agent-1.0.0-linux-amd64.tar.gz\npackages\/.*minisig/,
      );
      const names = execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).trim().split('\n');
      t.same(names.slice(0, 2), ['holdfast-bundle.json', 'holdfast-bundle.json.sig']);
      t.equal(
        names.filter((name) => name.startsWith('blobs/')).length,
        3 + 2 + 2,
        'layers, configurations, manifests',
      );
      t.match(await bundle('inspect', file), { code: 0, text: made.text });
      t.match(await bundle('create', join(dir, 'x'), '--images', 'holdfast.test/nobody:1'), {
        ...{ code: 1, text: /the engine has no image "holdfast.test\/nobody:1": pull it first/ },
      });
      t.match(await bundle('create', join(dir, 'x')), { code: 1, text: /say what is to be in it: --images/ });
      t.notOk(statSync(join(dir, 'x'), { throwIfNoEntry: false }));
    },
  );

  await t.test(
    'taken without any network; a pod that waited for its image runs, cut off from the hub',
    async (t) => {
      docker('rmi', '-f', `${NAME}:2`, `${NAME}:3`);
      const main = { image: `${NAME}:3`, command: ['sh', '-c', WORK] };
      await stand.apply(podOf('waits', { main }, { nodeName: stand.node }));
      await until('it waits for the image', async () =>
        /ErrImagePull|ImagePullBackOff/.test(await stand.kubectl('get', 'pod', 'waits', '--no-headers')),
      );
      await stand.cutLink();
      const settings = ['--data-dir', stand.agentDir, '--docker-host', engine.host];
      const alone = spawnSync(
        'unshare',
        ['--net', process.execPath, 'agent/main.ts', 'bundle', 'import', file, ...settings],
        { encoding: 'utf8', env: { PATH: process.env['PATH'] } },
      );
      t.match(
        alone,
        {
          status: 0,
          stdout: /image .*:2 loaded\nimage .*:3 loaded\nholdfast-agent-1\.0\.0-linux-amd64\.tar\.gz kept/,
        },
        alone.stderr,
      );
      t.same(
        readFileSync(join(stand.agentDir, 'packages', archive)),
        readFileSync(join(dir, 'packages', archive)),
      );
      await until('it runs', async () =>
        (await engine.containers(stand.node)).some(({ pod, running }) => pod === 'waits' && running),
      );
      t.match(docker('run', '--rm', `${NAME}:2`, 'cat', '/version'), '2');
      t.match(await device('import', file), { code: 0, text: /image .*:2 was there\nimage .*:3 was there/ });
      await stand.restoreLink();
    },
  );

  await t.test(
    'what is not whole, not of this hub or for others is not taken, in one line each',
    async (t) => {
      docker('rmi', '-f', `${NAME}:2`);
      const content = readFileSync(file);
      const changed = (at: number) => {
        const copy = Buffer.from(content);
        copy[at] = (copy[at] ?? 0) ^ 1;
        return copy;
      };
      const middle = Math.floor(content.length / 2);
      const unsigned = join(dir, 'unsigned.tar');
      execFileSync('tar', ['--format=ustar', '-cf', unsigned, '-C', join(dir, 'manifests'), 'web.yaml']);
      const another = join(dir, 'another-hub');
      const hub = new Program('hub/main.ts', [
        ...['hub', '--data-dir', another, '--bind-address', '127.0.0.1'],
        ...['--api-port', '0', '--grpc-port', '0', '--mqtt-port', '0'],
      ]);
      await hub.line(/the hub is ready/);
      await hub.end();
      const foreign = join(dir, 'foreign.bundle');
      const made = new Program('hub/main.ts', [
        'bundle',
        'create',
        foreign,
        '--images',
        `${NAME}:1`,
        '--data-dir',
        another,
      ]);
      t.equal(await made.exit(), 0);
      const more = join(dir, 'more.bundle');
      copyFileSync(file, more);
      execFileSync('tar', ['--format=ustar', '-rf', more, '-C', join(dir, 'manifests'), 'web.yaml']);
      const rows: [string, Buffer | string, RegExp][] = [
        ['cut short', content.subarray(0, middle), /breaks off: it is not whole/],
        ['empty', Buffer.alloc(0), /breaks off/],
        ['damaged', changed(middle), /"blobs\/sha256\/[0-9a-f]+" in it is damaged/],
        ['its index changed', changed(700), /is not signed by the hub of this device/],
        ['no archive', Buffer.alloc(2048, 'x'), /no tar archive/],
        ['unsigned', readFileSync(unsigned), /no bundle: it must begin with "holdfast-bundle.json"/],
        ['of another hub', readFileSync(foreign), /is not signed by the hub of this device: make it there/],
        ['with bytes at its end', Buffer.concat([content, Buffer.from('x')]), /something follows its end/],
        ['with something added', readFileSync(more), /"web.yaml" is in it, and not in its index/],
      ];
      for (const [name, bad, message] of rows) {
        const path = join(dir, 'bad.bundle');
        writeFileSync(path, bad);
        const { code, text } = await device('import', path);
        t.equal(code, 1, name);
        t.match(text, message, name);
        t.equal(text.split('\n').length, 1, name);
      }
      t.match(await device('import', join(dir, 'none')), { code: 1, text: /can not be read: ENOENT/ });
      t.match(await device('import'), { code: 1, text: /bundle import FILE/ });
      t.notOk(hasImage(`${NAME}:2`), 'nothing of them was taken');
    },
  );

  await t.test('a bundle that appears where the owner allows it is imported by itself', async (t) => {
    const stick = join(dir, 'stick');
    await stand.agent.end();
    const agent = stand.runAgent('run', '--bundle-paths', stick);
    t.teardown(() => agent.end('SIGKILL'));
    await agent.line(/connected to the hub/);
    writeFileSync(join(stick, 'half.bundle'), readFileSync(file).subarray(0, 5_000));
    t.match(JSON.parse(await agent.line(/was not imported/)), { file: /half.bundle/, reason: /breaks off/ });
    copyFileSync(file, join(dir, 'moved'));
    renameSync(join(dir, 'moved'), join(stick, 'site.bundle'));
    const said = JSON.parse(await agent.line(/a bundle was imported/)) as { imported: string[] };
    t.match(said.imported, [/:2 loaded/, /:3 was there/, /kept/]);
    t.ok(hasImage(`${NAME}:2`));

    // A stick: something is mounted where a directory was.
    docker('rmi', '-f', `${NAME}:2`);
    const from = agent.lines.length;
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', stick]);
    t.teardown(() => spawnSync('umount', [stick]));
    mkdirSync(join(stick, 'ignored'));
    copyFileSync(file, join(stick, 'again.bundle'));
    await agent.line(/a bundle was imported/, from);
    t.ok(hasImage(`${NAME}:2`));
  });
});
