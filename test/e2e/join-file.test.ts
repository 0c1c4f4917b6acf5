import { chmodSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startHubInProcess } from '../support/hub-in-process.ts';
import { Program } from '../support/program.ts';
import { mayMount, SmallDisk } from '../support/small-disk.ts';

/* Devices that are made from one image, with join.yaml in it: real agents at a real hub. */

const hub = await startHubInProcess();
t.teardown(() => hub.close());
const dir = t.testdir();
const address = `127.0.0.1:${hub.ports.grpc}`;
const token = await hub.token(3);

/** The agent of a device whose files are in `home`. */
function agent(t: Test, home: string, command: 'run' | 'join', ...more: string[]): Program {
  const at = (name: string) => join(home, name);
  const program = new Program('agent/main.ts', [
    ...[command, '--data-dir', at('data'), '--run-dir', at('run'), '--join-file', at('etc/join.yaml')],
    ...['--docker-host', `unix://${at('none.sock')}`, ...more],
  ]);
  t.teardown(() => program.end('SIGKILL'));
  return program;
}

function newDevice(name: string, lines: readonly string[]): string {
  const home = join(dir, name);
  mkdirSync(join(home, 'etc'), { recursive: true });
  writeFileSync(join(home, 'etc/join.yaml'), lines.join('\n'), { mode: 0o600 });
  return home;
}
const nodeNames = async () =>
  (await hub.api.call<{ items: { metadata: { name: string } }[] }>('GET', '/api/v1/nodes')).items.map(
    ({ metadata }) => metadata.name,
  );

t.test('one image, many devices: each joins by itself, once, and forgets the token', async (t) => {
  const image = newDevice('image', [`hub: ${address}`, `token: ${token}`, 'transport: grpc']);
  for (const name of ['one', 'two']) {
    const home = join(dir, name);
    cpSync(image, home, { recursive: true });
    const device = agent(t, home, 'run', '--node-name', name);
    t.match(JSON.parse(await device.line(/connected to the hub/)), { transport: 'grpc' });
    t.notOk(existsSync(join(home, 'etc/join.yaml')), 'the token is gone');
    await device.end();
    const again = agent(t, home, 'run');
    t.match(JSON.parse(await again.line(/connected to the hub/)), { transport: 'grpc' }, 'it is remembered');
    await again.end();
  }
  t.same((await nodeNames()).sort(), ['one', 'two']);
});

t.test('the name follows from the device', async (t) => {
  const home = newDevice('named', [`hub: ${address}`, `token: ${token}`, 'nodeName: "dev-{hostname}"']);
  const device = agent(t, home, 'join');
  t.equal(await device.exit(), 0, device.lines.join('\n'));
  t.ok((await nodeNames()).some((name) => name.startsWith('dev-')));
});

t.test('what is wrong is said before anything is asked of the hub', async (t) => {
  const rows: [string, string[], RegExp][] = [
    [
      'template',
      ['nodeName: "{imei}"'],
      /join\.yaml": nodeName must be text with .*, and has \{imei\}, is "\{imei\}"/,
    ],
    [
      'name',
      ['nodeName: "press_{hostname}"'],
      /nodeName "press_\{hostname\}" must be a DNS subdomain.*, and becomes "press_/,
    ],
    ['unknown', ['nodename: x'], /no setting is called "nodename": is nodeName meant\?/],
    ['token', ['token: secret'], /the join token is malformed/],
    ['yaml', ['hub: ['], /is no YAML/],
    ['none', [], /--hub must say where the hub is/],
  ];
  for (const [name, lines, why] of rows) {
    const home = newDevice(
      name,
      name === 'none' ? [] : [`hub: ${address}`, ...(name === 'token' ? [] : [`token: ${token}`]), ...lines],
    );
    const device = agent(t, home, 'run');
    t.equal(await device.exit(), 1);
    t.match(device.lines.join('\n'), why);
    t.ok(existsSync(join(home, 'etc/join.yaml')), 'for the next attempt');
  }
});

t.test('a file that others can read is told of', async (t) => {
  const home = newDevice('open', [`hub: ${address}`, `token: ${token}`]);
  chmodSync(join(home, 'etc/join.yaml'), 0o644);
  const device = agent(t, home, 'join');
  await device.line(/others on this device can read the join token: chmod 600/);
  t.equal(await device.exit(), 1, 'the name is taken, or the token used up');
});

t.test(
  'an image that is read-only keeps its file, and the device its identity',
  { skip: !mayMount },
  async (t) => {
    const disk = new SmallDisk(64);
    t.teardown(() => disk.remove());
    const file = join(disk.dir, 'join.yaml');
    const fresh = await hub.token(1);
    writeFileSync(file, `hub: ${address}\ntoken: ${fresh}\nnodeName: read-only\n`, { mode: 0o600 });
    disk.makeReadOnly();
    const device = agent(t, join(dir, 'read-only'), 'join', '--join-file', file);
    await device.line(/the join token is still in its file: remove it/);
    t.equal(await device.exit(), 0);
    const run = agent(t, join(dir, 'read-only'), 'run', '--join-file', file);
    await run.line(/connected to the hub/);
  },
);
