import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import t from 'tap';
import { PackageStore } from '../../../hub/packages/package-store.ts';
import { fingerprintOf } from '../../../hub/security/certificate-authority.ts';
import { startHubInProcess } from '../../support/hub-in-process.ts';
import { makeArchive, newSigningKey } from '../../support/packages.ts';

/* What a device is given before the hub knows it, by a real hub, and the commands that say which packages these are. */

const run = promisify(execFile);
const hub = await startHubInProcess();
t.teardown(() => hub.close());
const dir = t.testdir();
const signing = newSigningKey();
const keyFile = join(dir, 'release.pub');
writeFileSync(keyFile, signing.publicKey);
const padding = Buffer.alloc(3_000_000, 'holdfast ');
const name = makeArchive({ dir, key: signing, version: '1.0.0', padding });
const content = readFileSync(join(dir, name));

interface Answer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const ca = hub.api.caCertificate;

function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const at = {
    host: '127.0.0.1',
    port: hub.ports.api,
    path,
    method,
    headers,
    ca,
    agent: false,
    servername: 'localhost',
  };
  return new Promise((resolve, reject) => {
    const asked = request(at, (answer) => {
      buffer(answer).then(
        (body) => resolve({ code: answer.statusCode ?? 0, headers: answer.headers, body }),
        reject,
      );
    });
    asked.once('error', reject);
    asked.end(method === 'POST' ? 'x'.repeat(100_000) : undefined);
  });
}

async function holdfast(...args: string[]) {
  const { NODE_OPTIONS: _, ...env } = process.env;
  return run(process.execPath, ['hub/main.ts', 'packages', ...args], { env }).then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    ({ code, stdout, stderr }) => ({ code: code as number, out: stdout as string, err: stderr as string }),
  );
}
const here = ['--data-dir', hub.dataDir];

t.test('packages are added, listed and removed with a command', async (t) => {
  t.match(await holdfast('list', ...here), { code: 0, err: /there are no packages/ });
  t.match(await holdfast('add', dir, ...here), {
    code: 1,
    err: /^holdfast packages: add: the key of those who may sign packages can not be read from ".*release\.pub": name it with --key/,
  });
  t.match(await holdfast('add', dir, ...here, '--key', keyFile), { code: 0, out: `${name} added\n` });
  t.match(
    (await holdfast('list', ...here)).out,
    /^NAME +VERSION +ARCH +SIZE +SHA-256\nholdfast-agent-1\.0\.0-linux-amd64\.tar\.gz +1\.0\.0 +amd64 +3\.0 MB +[0-9a-f]{12}\n$/,
  );
  t.match(JSON.parse((await holdfast('list', '-o', 'json', ...here)).out), [{ name, version: '1.0.0' }]);
  t.match(await holdfast('remove', 'other', ...here), {
    code: 1,
    err: new RegExp(`no package is called "other": there are ${name}`),
  });
  t.match(await holdfast('add', '/etc/hosts', ...here, '--key', keyFile), {
    code: 1,
    err: /must be called as/,
  });
  t.match(await holdfast('list', '--data-dir', '/nonexistent'), { code: 0, err: /there are no packages/ });
  t.notMatch((await holdfast('add', '--help')).out, /kubeconfig/);
});

t.test('the certificate is that which tokens pin', async (t) => {
  const { code, headers, body } = await ask('/cacerts');
  t.equal(code, 200);
  t.match(headers['content-type'], 'application/x-pem-file');
  t.equal(body.toString(), ca);
  t.match(await hub.token(1), `HF1${fingerprintOf(body.toString())}::`);
});

t.test('the list is signed: openssl and the certificate are all that it takes to check it', async (t) => {
  const [sums, signature] = await Promise.all([ask('/packages/SHA256SUMS'), ask('/packages/SHA256SUMS.sig')]);
  const sha256 = createHash('sha256').update(content).digest('hex');
  t.equal(sums.body.toString(), `# holdfast packages v1\n${sha256}  ${name}\n`);
  const at = (file: string, bytes: Buffer | string) => {
    writeFileSync(join(dir, file), bytes);
    return join(dir, file);
  };
  const { stdout: key } = await run('openssl', ['x509', '-in', at('ca.crt', ca), '-noout', '-pubkey']);
  const verify = (text: Buffer | string) =>
    run('openssl', [
      'dgst',
      '-sha256',
      '-verify',
      at('key', key),
      '-signature',
      at('sig', signature.body),
      at('sums', text),
    ]);
  t.match(await verify(sums.body), { stdout: 'Verified OK\n' });
  await t.rejects(verify(`${sums.body}\n`));
});

t.test('a package: whole, in parts, and not again', async (t) => {
  const path = `/packages/${name}`;
  const whole = await ask(path);
  t.match(whole, { code: 200, headers: { 'accept-ranges': 'bytes', 'content-length': `${content.length}` } });
  t.ok(whole.body.equals(content));
  const etag = `${whole.headers.etag}`;
  const part = await ask(path, { Range: 'bytes=1000000-', 'If-Range': etag });
  t.match(part, {
    code: 206,
    headers: { 'content-range': `bytes 1000000-${content.length - 1}/${content.length}` },
  });
  t.ok(part.body.equals(content.subarray(1_000_000)));
  t.match(await ask(path, { Range: 'bytes=5-', 'If-Range': '"other"' }), { code: 200 });
  t.match(await ask(path, { Range: `bytes=${content.length}-` }), { code: 416 });
  t.match(await ask(path, { 'If-None-Match': etag }), { code: 304, body: Buffer.alloc(0) });
  t.match(await ask(path, {}, 'HEAD'), { code: 200, headers: { etag }, body: Buffer.alloc(0) });
  t.equal((await ask(`${path}.minisig`)).body.toString(), readFileSync(join(dir, `${name}.minisig`), 'utf8'));
  t.equal((await ask('/packages/')).body.toString(), `${name}\n`);
});

t.test('what is not there, and what is not to be asked', async (t) => {
  for (const path of [
    '/packages/x',
    '/packages/..%2f..%2fhub.db',
    '/packages/../hub.db',
    '/packages/SHA256SUMS.minisig',
  ])
    t.match(await ask(path), {
      code: 404,
      body: Buffer.from(
        `no package ${JSON.stringify(path.slice(10))}: there are ${name}; on the hub, "holdfast packages add FILE" adds one\n`,
      ),
    });
  t.match(await ask('/packages/SHA256SUMS', {}, 'POST'), { code: 405, headers: { allow: 'GET, HEAD' } });
  t.match(await ask('/packages'), { code: 403 }, "the API's");
  t.match(await ask('/cacerts/x'), { code: 403 });
});

t.test('so many downloads at once, and no more', async (t) => {
  const open: ReturnType<typeof request>[] = [];
  const opened = () =>
    new Promise<number>((resolve) => {
      const at = { host: '127.0.0.1', port: hub.ports.api, path: `/packages/${name}`, ca, agent: false };
      const asked = request(at, (answer) => resolve(answer.statusCode ?? 0)); // and reads nothing of it
      asked.on('error', () => undefined);
      asked.end();
      open.push(asked);
    });
  t.same(
    await Promise.all(Array.from({ length: 32 }, opened)),
    Array.from({ length: 32 }, () => 200),
  );
  t.match(await ask(`/packages/${name}`), { code: 503, headers: { 'retry-after': '5' } });
  t.match(await ask('/packages/SHA256SUMS'), { code: 200 }, 'what is small is still to be had');
  for (const each of open) each.destroy();
  let code = 503;
  while (code === 503) ({ code } = await ask(`/packages/${name}`));
  t.equal(code, 200, 'who goes makes room');
});

t.test('the script knows by what name it was asked for, and believes no other', async (t) => {
  const script = async (host: string) => (await ask('/install.sh', { Host: host })).body.toString();
  t.match(await script('hub.example:6443'), "='https://hub.example:6443'");
  const own = `='https://127.0.0.1:${hub.ports.api}'`;
  t.match(await script(`127.0.0.1:${hub.ports.api}`), own);
  const [hostile, text] = ["x'$(touch /tmp/x)'", await script("x'$(touch /tmp/x)'")];
  t.notMatch(text, hostile);
  t.match(text, new RegExp(`='https://[\\w.-]+:${hub.ports.api}'`));
  t.match(text, `='${hub.ports.grpc}'`);
  t.equal(
    (await ask('/uninstall.sh')).body.toString(),
    readFileSync('hub/packages/on-device/uninstall.sh', 'utf8'),
  );
});

t.test('a content that is damaged on the hub is not sent', async (t) => {
  const store = new PackageStore(hub.dataDir);
  const stored = store.get(name);
  if (!stored) throw new Error('it is there');
  truncateSync(store.contentOf(stored), 1000);
  t.match(await ask(`/packages/${name}`), {
    code: 500,
    body: Buffer.from('the hub can not read this: its log says why\n'),
  });
});
