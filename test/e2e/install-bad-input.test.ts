import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CertificateAuthority } from '../../hub/security/certificate-authority.ts';
import { signingKey } from '../../scripts/package/minisign-key.ts';
import { agentPackage, DeviceHub, releaseKey } from '../support/device-hub.ts';
import { HubProgram } from '../support/hub-program.ts';
import { Wire } from '../support/link-cut.ts';
import { makeArchive } from '../support/packages.ts';
import { type InstallOptions, type InstallSource, ScratchDevice } from '../support/scratch-device.ts';
import { mayMount, SmallDisk } from '../support/small-disk.ts';

/* Everything that can be wrong when a device is installed: one line that says so, and the device is as it was. */

const NODE = 'install-refused';
const hub = new HubProgram();
await hub.start();
t.teardown(() => hub.close());
await hub.packages.add(await agentPackage(), releaseKey());

interface Row {
  readonly source?: InstallSource;
  readonly options?: InstallOptions;
  /** What is on the device before. */
  readonly prepare?: (device: ScratchDevice) => void;
  readonly why: RegExp;
}

async function refused(
  t: Test,
  { source = hub, options = {}, prepare, why }: Row,
  root?: string,
): Promise<void> {
  const device = new ScratchDevice(NODE, source, root);
  t.teardown(() => device.close());
  prepare?.(device);
  const before = device.files({ exact: true });
  const { code, err } = await device.install(options);
  t.not(code, 0);
  t.match(err, [/^install\.sh: ./]);
  t.equal(err.length, 1, 'one line');
  t.match(err[0], why);
  const after = device.files({ exact: true });
  t.same(withoutTimesOfDirectories(after), withoutTimesOfDirectories(before), 'as it was');
}

/** Something was in them for a while. */
const withoutTimesOfDirectories = (files: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(files).map(([path, is]) => [path, is.replace(/^(\d+ directory).*/, '$1')]),
  );

const withToken = (token: string, more: Record<string, string> = {}): InstallOptions => ({
  env: { HOLDFAST_TOKEN: token, ...more },
});
const good = await hub.token({ uses: 100 });

t.test('the token', async (t) => {
  await refused(t, {
    options: {},
    why: /HOLDFAST_TOKEN is needed: "holdfast token create" on the hub prints one/,
  });
  await refused(t, {
    options: withToken('secret'),
    why: /HOLDFAST_TOKEN must be as HF1.*: copy all of what/,
  });
  await refused(t, { options: withToken(`${good}x`), why: /HOLDFAST_TOKEN must be as HF1/ });
  const other = good.replace(/^HF1.{64}/, `HF1${'0'.repeat(64)}`);
  await refused(t, {
    options: withToken(other),
    why: /is not the one that made this token: its certificate has another hash/,
  });
  const unknown = good.replace(/::......\./, '::zzzzzz.');
  await refused(t, {
    options: withToken(unknown),
    why: /the hub refused: the join token is not known here: make one with "holdfast token create"/,
  });
  const expired = await hub.token({ ttlMs: -1000 });
  await refused(t, {
    options: withToken(expired),
    why: /the hub refused: the join token expired at .*: make a new one/,
  });
});

t.test('what else it is told', async (t) => {
  const rows: [Record<string, string>, readonly string[], RegExp][] = [
    [{ HOLDFAST_NODE_NAME: 'a b' }, [], /HOLDFAST_NODE_NAME must be letters, digits/],
    [
      { HOLDFAST_NODE_NAME: '-press' },
      [],
      /nodeName "-press" must be a DNS subdomain.*, and becomes "-press" here/,
    ],
    [{ HOLDFAST_NODE_NAME: '{imei}' }, ['--no-start'], /HOLDFAST_NODE_NAME may have .*, is "\{imei\}"/],
    [{ HOLDFAST_TRANSPORT: 'smoke' }, [], /HOLDFAST_TRANSPORT must be auto, mqtt or grpc, is "smoke"/],
    [{ HOLDFAST_URL: "https://x'$(id)" }, [], /HOLDFAST_URL must be https:\/\/HOST:PORT, is/],
    [{ HOLDFAST_URL: 'http://127.0.0.1' }, [], /HOLDFAST_URL must be https:\/\/HOST:PORT/],
    [{}, ['--arch', 'riscv64'], /this device is riscv64: the agent runs on amd64 \(x86_64\) and arm64/],
    [{}, ['--arch', 'arm64'], /--arch arm64 is for images: use --no-start as well/],
    [{}, ['--init', 'upstart'], /--init must be systemd, openrc or plain, is "upstart"/],
    [{}, ['--fast'], /no flag "--fast": --help tells which there are/],
    [{}, ['--root', 'here'], /--root must be a whole path, is "here"/],
    [
      {},
      ['--version', '9.9.9'],
      /the hub has no agent 9\.9\.9 for amd64: there are holdfast-agent-0\.1\.0-linux-amd64\.tar\.gz - on the hub, "holdfast packages add FILE" adds one/,
    ],
  ];
  for (const [env, flags, why] of rows)
    await refused(t, { options: { flags, ...withToken(good, env) }, why });
});

t.test('the way to the hub', async (t) => {
  const nobody = withToken(good, { HOLDFAST_URL: 'https://127.0.0.1:1' });
  await refused(t, {
    options: nobody,
    why: /the hub at https:\/\/127\.0\.0\.1:1 can not be reached: check the address/,
  });
  const wire = new Wire('127.0.0.9', '127.0.0.1', hub.ports.api);
  await wire.join();
  t.teardown(() => wire.cut());
  const otherName = withToken(good, { HOLDFAST_URL: `https://127.0.0.9:${hub.ports.api}` });
  await refused(t, {
    options: otherName,
    why: /the hub does not prove to be "127\.0\.0\.9": its setting tlsSan/,
  });
  const noJoin = withToken(good, { HOLDFAST_HUB: '127.0.0.1:1' });
  await refused(t, { options: noJoin, why: /the hub at 127\.0\.0\.1:1 cannot be reached/ });
});

t.test('packages that somebody changed, or that are not what they say', async (t) => {
  const dataDir = join(t.testdir(), 'hub');
  mkdirSync(dataDir);
  const lying = await DeviceHub.start(dataDir);
  t.teardown(() => lying.close());
  const options = withToken(lying.token);
  const source = { url: lying.url, caCertificate: lying.ca.certificate };
  await refused(t, { source, options, why: /the hub has no agent for amd64: there are {1,2}- on the hub/ });

  const made = join(t.testdirName, 'made');
  const put = async (padding: number) => {
    const name = makeArchive({
      dir: made,
      key: signingKey(),
      version: '1.0.0',
      padding: Buffer.alloc(padding, 'x'),
    });
    const stored = await lying.packages.add(join(made, name), releaseKey());
    return lying.packages.contentOf(stored);
  };
  const content = await put(100_000);
  const bytes = readFileSync(content);
  bytes[50_000] = 0;
  writeFileSync(content, bytes);
  await refused(t, {
    source,
    options,
    why: /is damaged: its SHA-256 must be [0-9a-f]{64}, is [0-9a-f]{64}; on the hub, add it again/,
  });
  truncateSync(content, 50_000);
  await refused(t, {
    source,
    options,
    why: /"holdfast-agent-1\.0\.0-linux-amd64\.tar\.gz" can not be downloaded: .*50/,
  });
  await put(200_000);
  await refused(t, { source, options, why: /the agent does not run on this device: .*not found/ });

  // What no hub would take: the record is written by hand.
  const wrong = makeArchive({ dir: made, key: signingKey(), version: '2.0.0', arch: 'arm64' });
  const name = wrong.replace('arm64', 'amd64');
  const record = join(dataDir, 'packages', `${wrong}.json`);
  await lying.packages.add(join(made, wrong), releaseKey());
  renameSync(record, join(dataDir, 'packages', `${name}.json`));
  await refused(t, {
    source,
    options,
    why: /"holdfast-agent-2\.0\.0-linux-amd64\.tar\.gz" is not for amd64/,
  });
});

t.test('a list of packages that the hub has not signed', async (t) => {
  const dataDir = join(t.testdir(), 'hub');
  mkdirSync(dataDir);
  const stranger = await CertificateAuthority.load(await CertificateAuthority.create('stranger'));
  const lying = await DeviceHub.start(dataDir, stranger);
  t.teardown(() => lying.close());
  const source = { url: lying.url, caCertificate: lying.ca.certificate };
  await refused(t, {
    source,
    options: withToken(lying.token),
    why: /the list of packages at https:.* is not signed by the hub: somebody changed it/,
  });
});

t.test('the engine', async (t) => {
  const none = withToken(good, { DOCKER_HOST: 'unix:///nonexistent/docker.sock' });
  await refused(t, {
    options: none,
    why: /container engine: unix:.*: connect ENOENT .*: install an engine/,
  });
  const socket = join(t.testdir(), 'engine.sock');
  const old = await engineThatSays(socket, {
    Version: '19.03.8',
    ApiVersion: '1.40',
    Components: [{ Name: 'Engine' }],
  });
  t.teardown(() => old.close());
  await refused(t, {
    options: withToken(good, { DOCKER_HOST: `unix://${socket}` }),
    why: /container engine: Engine 19\.03\.8 \(API 1\.40, .*\) on unix:.*: Docker Engine 20\.10 or Podman 4 is needed, or later: upgrade it/,
  });
  if (!mayMount) return;
  // In a mount namespace of its own, without a socket.
  const within = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /run && exec "$@"', 'sh'];
  const why =
    /there is no container engine: "apt-get install -y docker\.io" installs one, and so does --install-engine/;
  await refused(t, { options: { within, ...withToken(good, { DOCKER_HOST: '' }) }, why });
});

function engineThatSays(socket: string, version: object): Promise<Server> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(version));
  });
  return new Promise((resolve) => server.listen(socket, () => resolve(server)));
}

t.test('what is there already, and is not ours', async (t) => {
  const put =
    (path: string, content = 'theirs') =>
    (device: ScratchDevice) => {
      mkdirSync(join(device.at(path), '..'), { recursive: true });
      writeFileSync(device.at(path), content);
    };
  const rows: [string, RegExp][] = [
    [
      'etc/systemd/system/holdfast-agent.service',
      /holdfast-agent\.service" is there, and was not made by this script/,
    ],
    ['etc/init.d/holdfast-agent', /init\.d\/holdfast-agent" is there, and was not made by this script/],
    [
      'lib/systemd/system/holdfast-agent.service',
      /the Debian package holdfast-agent is installed: upgrade it with apt-get/,
    ],
    [
      'usr/local/bin/holdfast-agent',
      /bin\/holdfast-agent" is there, and was not made by this script: remove it first/,
    ],
  ];
  for (const [path, why] of rows) await refused(t, { prepare: put(path), options: withToken(good), why });
  await refused(t, {
    prepare: put('etc/holdfast/agent.yaml', 'logLevel: loud\n'),
    options: withToken(good),
    why: /agent\.yaml" is wrong: .*logLevel must be one of/,
  });
});

t.test('disks', { skip: !mayMount }, async (t) => {
  const rootOn = (t: Test, sizeKiB: number) => {
    const disk = new SmallDisk(sizeKiB);
    t.teardown(() => disk.remove());
    return disk;
  };
  t.test('full, while the package comes', async (t) =>
    refused(
      t,
      { options: withToken(good), why: /can not be written: is the disk full\?/ },
      rootOn(t, 8 * 1024).dir,
    ),
  );
  t.test('full, while it is unpacked', async (t) =>
    refused(
      t,
      { options: withToken(good), why: /can not be unpacked: .*No space left on device/ },
      rootOn(t, 100 * 1024).dir,
    ),
  );
  t.test('full, where settings are', async (t) => {
    const prepare = (device: ScratchDevice) => {
      const disk = new SmallDisk(16, device.at('etc'));
      t.teardown(() => disk.remove());
      writeFileSync(device.at('etc/filler'), Buffer.alloc(8192));
    };
    await refused(t, {
      prepare,
      options: withToken(good),
      why: /etc\/holdfast.* can not be .*No space left on device/,
    });
  });
  t.test('full, where the identity is to be', async (t) => {
    const prepare = (device: ScratchDevice) => {
      const disk = new SmallDisk(64, device.at('var/lib'));
      t.teardown(() => disk.remove());
      writeFileSync(device.at('var/lib/filler'), Buffer.alloc(40_960));
    };
    await refused(t, {
      prepare,
      options: withToken(good),
      why: /open the agent's database .* because: .*full|No space left|ENOSPC/i,
    });
  });
  for (const path of ['usr/local', 'etc', 'var/lib'])
    t.test(`read-only: ${path}`, async (t) => {
      const prepare = (device: ScratchDevice) => {
        const aside = mkdtempSync(join(tmpdir(), 'hf-aside-'));
        cpSync(device.at(path), aside, { recursive: true });
        const disk = new SmallDisk(64, device.at(path));
        t.teardown(() => disk.remove());
        cpSync(aside, device.at(path), { recursive: true });
        rmSync(aside, { recursive: true });
        disk.makeReadOnly();
      };
      await refused(t, { prepare, options: withToken(good), why: /" can not be written: is it read-only\?/ });
    });
});

t.test('tools that are missing', async (t) => {
  const dir = t.testdir();
  const device = new ScratchDevice(NODE, hub);
  t.teardown(() => device.close());
  const few = (without: string) => {
    const bin = join(dir, without);
    mkdirSync(bin);
    for (const tool of [
      'sh',
      'sed',
      'grep',
      'tar',
      'gzip',
      'sha256sum',
      'id',
      'uname',
      'head',
      'openssl',
      'readlink',
      'dirname',
      'mkdir',
      'cat',
      'rm',
    ])
      if (tool !== without)
        writeFileSync(join(bin, tool), `#!/bin/sh\nexec /usr/bin/env -i PATH=/usr/bin:/bin ${tool} "$@"\n`, {
          mode: 0o755,
        });
    return { PATH: bin };
  };
  const script = ['/usr/bin/dash', 'hub/packages/on-device/install.sh'];
  const run = (env: Record<string, string>) =>
    device.run(script, { ...env, HOLDFAST_TOKEN: good, HOLDFAST_URL: hub.url });
  t.match(await run(few('openssl')), {
    code: 1,
    err: ['install.sh: "openssl" is needed: on Debian, apt-get install -y openssl'],
  });
  t.match(await run(few('curl')), {
    code: 1,
    err: ['install.sh: curl or GNU wget is needed: on Debian, apt-get install -y curl'],
  });
  t.notOk(existsSync(device.at('etc/holdfast')));
});
