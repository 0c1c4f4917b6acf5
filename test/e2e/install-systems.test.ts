import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect as connectTo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { agentPackage, releaseKey } from '../support/device-hub.ts';
import { HubProgram } from '../support/hub-program.ts';
import { Program } from '../support/program.ts';
import { ScratchDevice } from '../support/scratch-device.ts';
import { ServiceManager } from '../support/service-managers.ts';
import { mayMount } from '../support/small-disk.ts';

/* Devices of many kinds: shells, tools, service managers, engines, and images that are made before there is a device. */

const SCRIPTS = ['install.sh', 'uninstall.sh'].map((name) => join('hub/packages/on-device', name));
const hub = new HubProgram();
await hub.start();
t.teardown(() => hub.close());
await hub.packages.add(await agentPackage(), releaseKey());

function newDevice(t: Test, node: string): ScratchDevice {
  const device = new ScratchDevice(`install-${node}`, hub);
  t.teardown(() => device.close());
  return device;
}

t.test('every shell can read the scripts', async (t) => {
  for (const shell of [
    ['dash', '-n'],
    ['busybox', 'ash', '-n'],
    ['bash', '--posix', '-n'],
  ])
    for (const script of SCRIPTS) {
      const [program = '', ...args] = shell;
      t.match(
        spawnSync(program, [...args, script], { encoding: 'utf8' }),
        { status: 0, stderr: '' },
        `${shell}`,
      );
    }
  const shellcheck = spawnSync('shellcheck', ['--shell=sh', ...SCRIPTS], { encoding: 'utf8' });
  if (!shellcheck.error) t.equal(shellcheck.stdout, '');
});

/** Nothing but busybox, and these. */
function busyboxAnd(t: Test, tools: readonly string[]): string {
  const bin = t.testdir();
  const applets = execFileSync('busybox', ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean);
  for (const applet of applets) if (!tools.includes(applet)) symlinkSync('/bin/busybox', join(bin, applet));
  for (const tool of tools)
    symlinkSync(execFileSync('which', [tool], { encoding: 'utf8' }).trim(), join(bin, tool));
  return bin;
}

/** busybox's own shell takes its own wget, whatever else is there. */
for (const [shell, ...tools] of [
  ['busybox ash', 'curl', 'openssl'],
  ['dash', 'wget', 'openssl'],
] as const)
  t.test(`${shell}, ${tools.join(', ')}, and busybox for the rest`, async (t) => {
    const device = newDevice(t, `busybox-${tools[0]}`);
    const env = {
      PATH: busyboxAnd(t, tools),
      HOLDFAST_URL: hub.url,
      HOLDFAST_HUB: `127.0.0.1:${hub.ports.grpc}`,
    };
    const [program = '', ...applet] = shell.split(' ');
    const reader = [`/bin/${program}`, ...applet];
    const [install = '', uninstall = ''] = SCRIPTS;
    const ash = [...reader, install];
    const { code, out, err } = await device.run(ash, { ...env, HOLDFAST_TOKEN: await hub.token() });
    t.same([code, err], [0, []]);
    t.match(out, /is connected to 127\.0\.0\.1/);
    t.match(await device.run(ash, env), { code: 0, err: [], out: /nothing was changed/ });
    const wrong = await device.run(ash, { ...env, HOLDFAST_URL: 'https://127.0.0.1:1' });
    t.match(wrong, { code: 1, err: [/can not be reached/] });
    const noSuch = await device.run([...ash, '--version', '9.9.9'], env);
    t.match(noSuch, { code: 1, err: [/the hub has no agent 9\.9\.9/] });
    t.match(await device.run([...reader, uninstall], env), {
      code: 0,
      err: [],
      out: /is removed/,
    });
  });

t.test('systemd', async (t) => {
  const device = newDevice(t, 'systemd');
  const manager = new ServiceManager(t.testdir(), device.root);
  for (const dir of ['run', 'etc']) mkdirSync(device.at(`${dir}/systemd/system`), { recursive: true });
  const env = { PATH: `${manager.bin}:${process.env['PATH']}` };
  const pristine = device.files();
  const { code, out, err } = await device.install({ env: { ...env, HOLDFAST_TOKEN: await hub.token() } });
  t.same([code, err], [0, []], out);
  t.match(out, /is connected/);
  t.same(manager.calls(), [
    'systemctl daemon-reload',
    'systemctl enable holdfast-agent.service',
    'systemctl start holdfast-agent.service',
  ]);
  const unit = readFileSync(device.at('etc/systemd/system/holdfast-agent.service'), 'utf8');
  t.match(
    unit,
    /^# Made by Holdfast's install\.sh.*\n\[Unit\][\s\S]*\[Service\]\n[\s\S]*\nRestart=always\n[\s\S]*\[Install\]/,
  );
  t.match(await device.install({ env }), { code: 0, out: /nothing was changed/ });
  t.same(manager.calls(), []);
  const removed = await device.run(['sh', SCRIPTS[1] ?? ''], env);
  t.match(removed, { code: 0, err: [] });
  t.same(manager.calls(), ['systemctl disable --now holdfast-agent.service', 'systemctl daemon-reload']);
  t.same(device.files(), pristine);
});

t.test('an engine is installed where there is none, if asked', { skip: !mayMount }, async (t) => {
  const device = newDevice(t, 'engineless');
  const bin = t.testdir({ 'docker.sock': '' });
  const calls = () => readFileSync(join(bin, 'calls'), 'utf8').trim().split('\n');
  // What Debian's package does, for the device that sees no engine: one answers once it is installed.
  const aptGet = (lastly: string) => {
    const script = `#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >>${bin}/calls\n[ "$2" = update ] || { ${lastly}; }\n`;
    writeFileSync(join(bin, 'apt-get'), script, { mode: 0o755 });
  };
  const hidden = `mount --bind /run/docker.sock ${bin}/docker.sock && mount -t tmpfs none /run && exec "$@"`;
  const install = (...flags: string[]) =>
    device.install({
      flags,
      env: { PATH: `${bin}:${process.env['PATH']}`, DOCKER_HOST: '', HOLDFAST_TOKEN: token },
      within: ['unshare', '--mount', 'sh', '-c', hidden, 'sh'],
    });
  const token = await hub.token();
  const pristine = device.files();

  aptGet('exit 100');
  const failed = await install('--install-engine');
  t.match(failed, { code: 1, err: [/"apt-get install -y --no-install-recommends docker\.io" fails/] });
  t.same(device.files(), pristine, 'nothing is left');
  aptGet('true');
  const silent = await install('--install-engine');
  t.match(silent, { code: 1, err: [/docker\.io is installed, and its engine does not run: start it/] });
  t.match(await install('--install-engine', '--dry-run'), {
    code: 0,
    out: /would install the package docker\.io/,
  });
  t.equal(calls().length, 4, 'a dry run installs nothing');

  aptGet(`: >/run/docker.sock; mount --bind ${bin}/docker.sock /run/docker.sock`);
  const { code, out, err } = await install('--install-engine');
  t.same([code, err], [0, []], out);
  t.match(out, /installing the package docker\.io[\s\S]*is connected/);
  t.same(calls().slice(-2), [
    'noninteractive -q update',
    'noninteractive -q install -y --no-install-recommends docker.io',
  ]);
});

t.test('OpenRC', async (t) => {
  const device = newDevice(t, 'openrc');
  const manager = new ServiceManager(t.testdir(), device.root);
  const env = { PATH: `${manager.bin}:${process.env['PATH']}` };
  const flags = ['--init', 'openrc'];
  const { code, out, err } = await device.install({
    flags,
    env: { ...env, HOLDFAST_TOKEN: await hub.token() },
  });
  t.same([code, err], [0, []], out);
  t.match(out, /is connected/);
  t.same(manager.calls(), ['rc-update add holdfast-agent default', 'rc-service holdfast-agent start']);
  const script = device.at('etc/init.d/holdfast-agent');
  t.equal(spawnSync('sh', ['-n', script]).status, 0);
  t.match(readFileSync(script, 'utf8'), /^#!\/sbin\/openrc-run\n[\s\S]*\nsupervisor=supervise-daemon\n/);
  t.match(await device.install({ flags, env }), { code: 0, out: /nothing was changed/ });
  t.match(await device.run(['sh', SCRIPTS[1] ?? ''], env), { code: 0, err: [] });
  t.same(manager.calls(), ['rc-service holdfast-agent stop', 'rc-update del holdfast-agent']);
});

t.test('Podman: its socket is found, and written down', { skip: !mayMount }, async (t) => {
  const device = newDevice(t, 'podman');
  const dir = mkdtempSync(join(tmpdir(), 'hf-run-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, 'podman'));
  const engine = (process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock').replace('unix://', '');
  const socket = createServer((client) => {
    const real = connectTo(engine);
    client.pipe(real).pipe(client);
    for (const each of [client, real]) each.on('error', () => [client, real].map((other) => other.destroy()));
  });
  await new Promise<void>((resolve) => socket.listen(join(dir, 'podman/podman.sock'), resolve));
  t.teardown(() => socket.close());
  // In a mount namespace of its own, which the agent stays in.
  const within = [
    'unshare',
    '--mount',
    'sh',
    '-c',
    'dir=$1; shift; mount --bind "$dir" /run && exec "$@"',
    'sh',
    dir,
  ];
  const { code, out, err } = await device.install({
    within,
    env: { HOLDFAST_TOKEN: await hub.token(), DOCKER_HOST: '' },
  });
  t.same([code, err], [0, []], out);
  t.match(
    readFileSync(device.at('etc/holdfast/agent.yaml'), 'utf8'),
    'dockerHost: "unix:///run/podman/podman.sock"',
  );
  t.match(await device.agent('status'), { out: /Engine: +running/ });
});

t.test('an image: nothing runs, nobody has joined, and each device that is made of it does', async (t) => {
  const image = newDevice(t, 'image');
  const token = await hub.token({ uses: 2 });
  mkdirSync(image.at('lib/systemd'), { recursive: true });
  const { code, out, err } = await image.install({
    flags: ['--no-start', '--init', 'plain'],
    env: { HOLDFAST_TOKEN: token, HOLDFAST_NODE_NAME: 'from-image-{hostname}', HOLDFAST_TRANSPORT: 'grpc' },
  });
  t.same([code, err], [0, []]);
  t.match(out, /it joins when the device first starts/);
  t.notOk(existsSync(image.at('var/lib/holdfast')), 'it is nobody');
  t.notOk(existsSync(image.at('run/holdfast-agent.pid')));
  const written = image.files();
  t.match(written['etc/holdfast/join.yaml'], /^600 /);
  const settings = readFileSync(image.at('etc/holdfast/agent.yaml'), 'utf8');
  t.notMatch(settings, image.root, 'no path of the machine that it was made on');
  t.match(settings, 'transport: "grpc"');
  t.match(
    readFileSync(image.at('usr/local/lib/holdfast-agent/supervise'), 'utf8'),
    "'/usr/local/bin/holdfast-agent' run",
  );

  const home = image.at('usr/local/bin/holdfast-agent');
  const device = new Program('agent/main.ts', [
    ...[
      'run',
      '--config',
      image.at('etc/holdfast/agent.yaml'),
      '--join-file',
      image.at('etc/holdfast/join.yaml'),
    ],
    ...['--data-dir', image.at('var/lib/holdfast/agent'), '--run-dir', image.at('run/holdfast/agent')],
  ]);
  t.teardown(() => device.end('SIGKILL'));
  t.match(JSON.parse(await device.line(/connected to the hub/)), { transport: 'grpc' });
  t.ok(existsSync(home));
  t.notOk(existsSync(image.at('etc/holdfast/join.yaml')));
  const { items } = await hub.api.call<{ items: { metadata: { name: string } }[] }>('GET', '/api/v1/nodes');
  t.ok(items.some(({ metadata }) => metadata.name.startsWith('from-image-')));
});
