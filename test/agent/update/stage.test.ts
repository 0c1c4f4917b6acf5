import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { type StagingOrder, stageRelease } from '../../../agent/update/stage.ts';
import { CertificateAuthority } from '../../../hub/security/certificate-authority.ts';
import type { PackageReference } from '../../../proto/agent-release.ts';
import { tarOf } from '../../../scripts/tar.ts';
import { newSigningKey } from '../../support/packages.ts';
import { mayMount, SmallDisk } from '../../support/small-disk.ts';

/* What is put into a slot, and what is refused: small packages over real HTTPS. */

const key = newSigningKey();
const ca = await CertificateAuthority.load(await CertificateAuthority.create('staging'));
const served = new Map<string, Buffer>();
const asked: (string | undefined)[] = [];
let cutAfter = Number.POSITIVE_INFINITY;
const { certificate: cert, key: serverKey } = await ca.issueServer(['127.0.0.1'], 1);
const server = createServer({ cert, key: serverKey }, (request, response) => {
  const name = decodeURIComponent((request.url ?? '').replace('/packages/', ''));
  const content = served.get(name);
  if (!content) {
    response.writeHead(404).end();
    return;
  }
  const [, from = ''] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
  if (!name.endsWith('.minisig')) asked.push(request.headers.range);
  const rest = content.subarray(Number(from));
  response.writeHead(from === '' ? 200 : 206, { 'Content-Length': rest.length });
  const cut = name.endsWith('.minisig') ? rest.length : cutAfter;
  response.write(rest.subarray(0, cut), () =>
    cut < rest.length ? setTimeout(() => response.destroy(), 50) : response.end(),
  );
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
t.teardown(() => server.close());
t.beforeEach(() => {
  asked.length = 0;
  cutAfter = Number.POSITIVE_INFINITY;
});

interface Making {
  readonly version?: string;
  readonly about?: object;
  readonly program?: string;
  readonly isSlim?: boolean;
  readonly signer?: typeof key;
  readonly padding?: Buffer;
}

/** Has the server have a package. */
function publish({
  version = '2.0.0',
  about,
  program,
  isSlim,
  signer = key,
  padding,
}: Making = {}): PackageReference {
  const folder = `holdfast-agent-${version}-linux-amd64`;
  const name = `${folder}${isSlim ? '-slim' : ''}.tar.gz`;
  const file = (path: string, text: string | Buffer, mode = 0o644) =>
    ({ type: 'file', path: `${folder}/${path}`, mode, content: Buffer.from(text) }) as const;
  const says = { name: 'holdfast-agent', version, arch: 'amd64', node: process.versions.node, ...about };
  const content = gzipSync(
    tarOf([
      file('bin/holdfast-agent', `#!/bin/sh\n${program ?? `test -d "$2" && echo ${version}`}\n`, 0o755),
      file('lib/agent/agent.mjs', 'program'),
      file('lib/padding', padding ?? createHash('sha512').update(version).digest()),
      ...(isSlim ? [] : [file('lib/node', 'its own runtime', 0o755)]),
      file('package.json', JSON.stringify(says)),
    ]),
  );
  served.set(name, content);
  served.set(`${name}.minisig`, Buffer.from(signer.sign(content, name)));
  return { name, sha256: createHash('sha256').update(content).digest('hex'), bytes: content.length };
}

function orderOf(
  t: Test,
  release: Omit<StagingOrder['release'], 'version'>,
  root = t.testdir(),
): StagingOrder {
  const [base, slots, stateCopy] = ['base', 'slots', 'copy'].map((name) => join(root, name)) as [
    string,
    string,
    string,
  ];
  for (const dir of [join(base, 'lib'), slots, stateCopy]) mkdirSync(dir, { recursive: true });
  writeFileSync(join(base, 'lib/node'), 'the runtime');
  writeFileSync(join(base, 'lib/release.pub'), key.publicKey);
  const { port } = server.address() as AddressInfo;
  return {
    release: { version: '2.0.0', ...release },
    installation: { home: base, base, slots, slot: 'base' },
    source: { host: '127.0.0.1', port, caCertificate: ca.certificate },
    arch: 'amd64',
    stateCopy,
  };
}

const left = ({ installation }: StagingOrder) => readdirSync(installation.slots).sort();

async function refused(
  t: Test,
  order: StagingOrder,
  wanted: { reason: string; message: RegExp; isFinal: boolean },
) {
  await t.rejects(stageRelease(order), wanted as Extract<Parameters<Test['rejects']>[1], object>);
  t.notOk(existsSync(join(order.installation.slots, 'a')));
  t.notOk(left(order).some((name) => name.startsWith('a.new')));
}

t.test('a package becomes a slot', async (t) => {
  const order = orderOf(t, { full: publish() });
  await stageRelease(order);
  t.same(left(order), ['a'], 'nothing else is left');
  t.equal(readFileSync(join(order.installation.slots, 'a/lib/node'), 'utf8'), 'its own runtime');
});

t.test('one without Node.js uses the one that runs', async (t) => {
  const order = orderOf(t, { slim: publish({ isSlim: true }) });
  await stageRelease(order);
  const node = join(order.installation.slots, 'a/lib/node');
  t.same(left(order), ['a']);
  t.equal(statSync(node).ino, statSync(join(order.installation.home, 'lib/node')).ino, 'the same file');
});

t.test('one that needs another Node.js is taken whole, if the hub has it whole', async (t) => {
  const slim = publish({ isSlim: true, about: { node: '99.0.0' } });
  const order = orderOf(t, { slim, full: publish({ about: { node: '99.0.0' } }) });
  await stageRelease(order);
  t.equal(readFileSync(join(order.installation.slots, 'a/lib/node'), 'utf8'), 'its own runtime');
  await t.test('and refused if not', (t) =>
    refused(t, orderOf(t, { slim }), {
      reason: 'NoPackage',
      message: /needs another Node\.js .*: add holdfast-agent-2\.0\.0-linux-amd64/,
      isFinal: true,
    }),
  );
});

t.test('what breaks off is gone on with', async (t) => {
  cutAfter = 200;
  const full = publish();
  const order = orderOf(t, { full });
  await stageRelease(order);
  t.equal(asked[0], undefined);
  t.equal(asked[1], 'bytes=200-');
  t.equal(asked.length, Math.ceil(full.bytes / 200));
});

t.test('also by the process after this one', async (t) => {
  const full = publish();
  const order = orderOf(t, { full });
  const downloads = join(order.installation.slots, 'download');
  mkdirSync(downloads);
  writeFileSync(join(downloads, 'of-another-version'), 'x');
  writeFileSync(join(downloads, full.sha256), served.get(full.name)?.subarray(0, 100) ?? '');
  await stageRelease(order);
  t.same(asked, ['bytes=100-']);
  t.same(left(order), ['a']);
});

t.test('what a power cut left of a download is not held against the package', async (t) => {
  const full = publish();
  const order = orderOf(t, { full });
  const downloads = join(order.installation.slots, 'download');
  mkdirSync(downloads);
  writeFileSync(join(downloads, full.sha256), Buffer.alloc(100));
  await refused(t, order, { reason: 'WrongContent', message: /its SHA-256 must be/, isFinal: false });
  await stageRelease(order);
  t.same(left(order), ['a'], 'the next time it is fetched from its beginning');
});

t.test('a slot that holds an older version is taken', async (t) => {
  const order = orderOf(t, { full: publish() });
  const old = join(order.installation.slots, 'a');
  mkdirSync(join(old, 'lib'), { recursive: true });
  writeFileSync(join(old, 'lib/old'), 'x');
  await stageRelease(order);
  t.notOk(existsSync(join(old, 'lib/old')));
  t.same(left(order), ['a']);
});

t.test('what is refused leaves nothing behind', async (t) => {
  const other = newSigningKey();
  const rows: [
    string,
    () => Partial<StagingOrder['release']>,
    { reason: string; message: RegExp; isFinal: boolean },
  ][] = [
    [
      'signed by others',
      () => ({ full: publish({ signer: other }) }),
      {
        reason: 'WrongSignature',
        message: /is refused: it is signed with the key [0-9A-F]{16}, and only/,
        isFinal: true,
      },
    ],
    [
      'not what the hub told of',
      () => ({ full: { ...publish(), sha256: '0'.repeat(64) } }),
      { reason: 'WrongContent', message: /its SHA-256 must be 0{64}, is [0-9a-f]{64}/, isFinal: true },
    ],
    [
      'longer than the hub told of',
      () => ({ full: { ...publish(), bytes: 100 } }),
      { reason: 'WrongContent', message: /more of .* than the 100 bytes/, isFinal: true },
    ],
    [
      'for another processor',
      () => ({ full: publish({ about: { arch: 'arm64' } }) }),
      {
        reason: 'WrongPackage',
        message: /must be 2\.0\.0 for amd64, and is 2\.0\.0 for arm64/,
        isFinal: true,
      },
    ],
    [
      'another version than it is called',
      () => ({ full: publish({ about: { version: '1.9.9' } }) }),
      { reason: 'WrongPackage', message: /and is 1\.9\.9 for amd64/, isFinal: true },
    ],
    [
      'one that does not work here',
      () => ({
        full: publish({ program: 'echo "holdfast-agent self-test: no such table: desired" >&2; exit 1' }),
      }),
      {
        reason: 'SelfTestFailed',
        message: /2\.0\.0 does not work on this device: .*no such table: desired$/,
        isFinal: true,
      },
    ],
    [
      'one that says that it is another',
      () => ({ full: publish({ program: 'echo 1.9.9' }) }),
      { reason: 'SelfTestFailed', message: /it says that it is "1\.9\.9"/, isFinal: true },
    ],
    [
      'none at all',
      () => ({}),
      { reason: 'NoPackage', message: /the hub has no package of 2\.0\.0 for amd64/, isFinal: true },
    ],
  ];
  for (const [what, release, wanted] of rows)
    await t.test(what, async (t) => {
      const order = orderOf(t, release());
      await refused(t, order, wanted);
      t.same(left(order), []);
    });
});

t.test('what may pass by itself is tried again', async (t) => {
  const failed = { reason: 'DownloadFailed', isFinal: false };
  await t.test('a package that is cut off, as by a disk of the hub that is damaged', async (t) => {
    const full = publish();
    await refused(t, orderOf(t, { full: { ...full, bytes: full.bytes + 10 } }), {
      ...failed,
      message: /broke off after \d+ of \d+ bytes/,
    });
  });
  await t.test('one that the hub has no more', async (t) => {
    const full = { ...publish(), name: 'holdfast-agent-9.9.9-linux-amd64.tar.gz' };
    await refused(t, orderOf(t, { full }), {
      ...failed,
      message: /can not be downloaded: the answer was 404/,
    });
  });
  await t.test('a hub that is away', async (t) => {
    const order = orderOf(t, { full: publish() });
    await refused(
      t,
      { ...order, source: { ...order.source, port: 1 } },
      { ...failed, message: /ECONNREFUSED/ },
    );
  });
  await t.test('somebody else in the place of the hub', async (t) => {
    const order = orderOf(t, { full: publish() });
    const { certificate } = await CertificateAuthority.create('another');
    await refused(
      t,
      { ...order, source: { ...order.source, caCertificate: certificate } },
      { ...failed, message: /certificate/ },
    );
  });
});

t.test('a disk that is full', { skip: !mayMount && 'only root may mount' }, async (t) => {
  await t.test('is seen before anything is written', async (t) => {
    const disk = new SmallDisk(4_096);
    t.teardown(() => disk.remove());
    const order = orderOf(t, { full: publish() }, disk.dir);
    const wanted = {
      reason: 'InsufficientDisk',
      message: /needs 9 MiB on the disk of ".*", and 4 MiB are free/,
      isFinal: false,
    };
    await refused(t, order, wanted);
    t.same(left(order), []);
  });
  await t.test('is left as it was, also when it fills up meanwhile', async (t) => {
    const disk = new SmallDisk(16_384);
    t.teardown(() => disk.remove());
    const order = orderOf(t, { full: publish({ padding: Buffer.alloc(40_000_000) }) }, disk.dir);
    await refused(t, order, {
      reason: 'InsufficientDisk',
      message: /the disk was full when .* was unpacked: free space on/,
      isFinal: false,
    });
    t.same(left(order), []);
  });
});
