import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import t from 'tap';
import type { Identity } from '../../agent/state/agent-state.ts';
import { Engine } from '../support/engine.ts';
import { freePort } from '../support/free-port.ts';
import { makeAppImages } from '../support/images.ts';
import { Program } from '../support/program.ts';
import { Stand } from '../support/stand.ts';

/* Three devices of one site: the first has an image from the hub, the others its layers from those who have them. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const NAME = 'holdfast.test/site-peers';
const SITE = 'topology.holdfast.dev/site';
const docker = (...args: string[]) =>
  execFileSync('docker', ['--host', engine.host, ...args], {
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
  });

t.test('layers within a site', async (t) => {
  const names = ['site-peer-a', 'site-peer-b', 'site-peer-c'] as const;
  const stand = new Stand(engine, 'mqtt', names[0]);
  t.teardown(() => stand.close());
  await stand.start();
  await stand.agent.end();
  await makeAppImages(engine, [1], 'site-peers');
  const context = t.testdir();
  writeFileSync(join(context, 'Dockerfile'), `FROM ${NAME}:1\nCOPY large /large\n`);
  writeFileSync(join(context, 'large'), randomBytes(4 * 1024 * 1024));
  docker('build', '-q', '-t', `${NAME}:2`, context);
  const hubData = join(stand.dir, 'hub');
  const added = new Program('hub/main.ts', ['images', 'add', `${NAME}:2`, '--data-dir', hubData]);
  t.equal(await added.exit(), 0, added.lines.join());
  docker('rmi', '-f', `${NAME}:1`, `${NAME}:2`);

  const devices = [];
  for (const name of names) {
    const isFirst = name === names[0];
    if (!isFirst) await (await stand.addDevice(name)).end(); // joined; what it is told comes next
    const dir = isFirst ? stand.agentDir : join(stand.dir, name);
    const port = String(await freePort());
    const settings = ['--data-dir', dir, '--run-dir', `${dir}-run`, '--docker-host', engine.host];
    const program = new Program('agent/main.ts', [
      ...['run', '--registry', 'hub', '--peer-port', port, '--log-level', 'debug', '--transport', 'mqtt'],
      ...settings,
    ]);
    t.teardown(() => program.end('SIGKILL'));
    await program.line(/layers are given to devices of the site/);
    await program.line(/connected to the hub/);
    await stand.kubectl('wait', 'node', name, '--for=condition=Ready', '--timeout=60s');
    await stand.kubectl('label', 'node', name, `${SITE}=berlin`, '--overwrite');
    const pull = async () => {
      const pulled = new Program('agent/main.ts', [
        'image',
        'pull',
        `${NAME}:2`,
        ...settings,
        '--peer-port',
        port,
      ]);
      return { code: await pulled.exit(), text: pulled.lines.join('\n') };
    };
    devices.push({ name, dir, port, program, pull });
  }
  const [a, b, c] = devices;
  if (!a || !b || !c) throw new Error('three devices');
  const forget = () => {
    const found = docker('images', '--format', '{{.Repository}}:{{.Tag}}', NAME).split('\n').filter(Boolean);
    if (found.length > 0) docker('rmi', '-f', ...found);
  };
  const gave = ({ program }: typeof a) =>
    program.lines.filter((line) => line.includes('a layer is given')).length;
  const sharedBy = ({ dir }: typeof a) => readdirSync(join(dir, 'images/shared'));

  await t.test('the first has all from the hub, and keeps it for others', async (t) => {
    t.match(await a.pull(), { code: 0, text: /pulled/ });
    t.equal(sharedBy(a).length, 3, 'two layers and the configuration');
    t.equal(gave(b) + gave(c), 0);
  });

  await t.test('the second has them from the first, also those that the hub no longer has', async (t) => {
    forget();
    const blobs = join(hubData, 'images/blobs/sha256');
    const [largest = ''] = readdirSync(blobs).sort(
      (x, y) => statSync(join(blobs, y)).size - statSync(join(blobs, x)).size,
    );
    const kept = readFileSync(join(blobs, largest));
    rmSync(join(blobs, largest));
    t.match(await b.pull(), { code: 0, text: /pulled/ });
    t.equal(gave(a), 3);
    t.equal(spawnSync('docker', ['--host', engine.host, 'image', 'inspect', `${NAME}:2`]).status, 0);

    forget();
    await a.program.end('SIGKILL');
    t.match(await c.pull(), { code: 0, text: /pulled/ }, 'the second gives them where the first is away');
    t.equal(gave(b), 3);
    writeFileSync(join(blobs, largest), kept);
  });

  await t.test('what a device gives is not believed: it is checked, and had from the hub', async (t) => {
    forget();
    for (const { dir } of [b, c]) {
      for (const name of sharedBy({ dir } as typeof a))
        writeFileSync(join(dir, 'images/shared', name), 'a lie');
    }
    rmSync(join(a.dir, 'images'), { recursive: true });
    t.match(await a.pull(), { code: 0, text: /pulled/ });
    t.ok(sharedBy(a).every((name) => readFileSync(join(a.dir, 'images/shared', name), 'utf8') !== 'a lie'));
    for (const { dir } of [b, c]) rmSync(join(dir, 'images/shared'), { recursive: true });
  });

  await t.test(
    'who is no device of this hub gets nothing; a device of another site is not told of them',
    async (t) => {
      const asked = (pair: object) =>
        new Promise<number>((resolve, reject) => {
          const to = {
            host: '127.0.0.1',
            port: b.port,
            path: '/blobs/x',
            rejectUnauthorized: false,
            agent: false,
          };
          get({ ...to, ...pair }, (answer) => {
            answer.resume();
            resolve(answer.statusCode ?? 0);
          }).once('error', reject);
        });
      t.equal(await asked({}), 403);
      const { key, certificate: cert } = JSON.parse(
        readFileSync(join(c.dir, 'identity.json'), 'utf8'),
      ) as Identity;
      t.equal(await asked({ key, cert }), 404, 'and a device nothing but layers');
      await stand.kubectl('label', 'node', c.name, `${SITE}=hamburg`, '--overwrite');
      const before = gave(b);
      forget();
      t.match(await c.pull(), { code: 0, text: /pulled/ });
      t.equal(gave(b), before);
    },
  );
});
