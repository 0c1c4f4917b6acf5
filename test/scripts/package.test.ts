import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { newFileHash, parsePublicKey, signatureProblem } from '../../proto/minisign.ts';
import { contentsOf } from '../../scripts/package/contents.ts';
import { signingKey } from '../../scripts/package/minisign-key.ts';
import { ensurePackages, OUTPUT, packagesOf } from '../../scripts/package/packages.ts';
import { PROGRAMS, TARGETS } from '../../scripts/package/target.ts';

/* The packages as they are given out, looked at with the tools of those who get them. */

const AGENT = 'holdfast-agent-0.1.0-linux-amd64';
const arches = TARGETS.map(({ arch }) => arch);
const packages = await ensurePackages(PROGRAMS, arches);
const bytesOf = (name: string) => packages.find((each) => each.name === name)?.bytes ?? Number.NaN;
const at = (name: string) => join(OUTPUT, name);

t.test('what there is, and how large', async (t) => {
  const wanted = PROGRAMS.flatMap((program) =>
    arches.flatMap((arch) => [
      `${program}-0.1.0-linux-${arch}.tar.gz`,
      `${program}_0.1.0_${arch}.deb`,
      ...(program === 'holdfast-agent' ? [`${program}-0.1.0-linux-${arch}-slim.tar.gz`] : []),
    ]),
  );
  t.same(packages.map(({ name }) => name).sort(), [...wanted, 'SHA256SUMS', 'release.pub'].sort());
  for (const arch of arches) {
    t.ok(bytesOf(`holdfast-agent-0.1.0-linux-${arch}.tar.gz`) < 45_000_000, 'with its runtime');
    t.ok(bytesOf(`holdfast-agent-0.1.0-linux-${arch}-slim.tar.gz`) < 3_000_000, 'without');
  }
  execFileSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: OUTPUT });
});

t.test('the same commit gives the same bytes', async (t) => {
  const [target] = TARGETS;
  if (!target) throw new Error('a target');
  const again = await packagesOf(await contentsOf('holdfast-agent', target, signingKey().publicKey));
  for (const [name, content] of again)
    t.ok(content.equals(readFileSync(at(name))), `${name}, made again, is what it was`);
});

t.test('signatures: minisign and we agree on what is right and what is not', async (t) => {
  const name = `${AGENT}-slim.tar.gz`;
  const key = parsePublicKey(readFileSync(at('release.pub'), 'utf8'));
  const problem = (content: Buffer, minisig: string, as = name) =>
    signatureProblem(minisig, key, newFileHash().update(content).digest(), as);
  const content = readFileSync(at(name));
  const minisig = readFileSync(at(`${name}.minisig`), 'utf8');
  const dir = t.testdir();
  const minisign = (file: Buffer, signature: string) => {
    writeFileSync(join(dir, 'x'), file);
    writeFileSync(join(dir, 'x.minisig'), signature);
    return spawnSync('minisign', ['-V', '-p', at('release.pub'), '-m', join(dir, 'x')]).status;
  };
  t.equal(minisign(content, minisig), 0);
  t.equal(problem(content, minisig), undefined);
  const changed = Buffer.from(content);
  changed[1000] = (changed[1000] ?? 0) ^ 1;
  t.equal(minisign(changed, minisig), 1);
  t.match(problem(changed, minisig), /not what was signed/);
  const renamed = minisig.replace(/^(trusted comment: ).*/m, '$1other.tar.gz');
  t.equal(minisign(content, renamed), 1);
  t.match(problem(content, renamed), /comment of the signature/);
  t.match(problem(content, minisig, 'other.tar.gz'), /signed as "holdfast-agent.*and not as "other.tar.gz"/);
  t.match(problem(content, 'nonsense'), /malformed/);

  // A key and a signature of minisign's own making.
  const own = join(dir, 'own');
  execFileSync('minisign', ['-G', '-W', '-p', `${own}.pub`, '-s', `${own}.key`]);
  writeFileSync(join(dir, 'y'), content);
  execFileSync('minisign', ['-S', '-s', `${own}.key`, '-t', name, '-m', join(dir, 'y')]);
  const theirs = readFileSync(join(dir, 'y.minisig'), 'utf8');
  t.match(problem(content, theirs), /signed with the key [0-9A-F]{16}, and only [0-9A-F]{16} is trusted/);
  const theirKey = parsePublicKey(readFileSync(`${own}.pub`, 'utf8'));
  t.equal(signatureProblem(theirs, theirKey, newFileHash().update(content).digest(), name), undefined);
  t.throws(() => parsePublicKey('nonsense'), /must be minisign's/);
});

t.test('an archive runs where it is unpacked, with nothing else', async (t) => {
  const dir = t.testdir();
  execFileSync('tar', ['-xzf', at(`${AGENT}.tar.gz`), '-C', dir]);
  const root = join(dir, AGENT);
  const env = { PATH: '/usr/bin:/bin' };
  const run = (program: string, ...args: string[]) => spawnSync(program, args, { env, encoding: 'utf8' });
  execFileSync('ln', ['-s', join(root, 'bin/holdfast-agent'), join(dir, 'linked')]);
  t.match(run(join(dir, 'linked'), 'help'), {
    status: 0,
    stdout: /Usage: holdfast-agent COMMAND[\s\S]*\n {2}join /,
  });
  for (const word of ['--version', 'version']) t.equal(run(join(dir, 'linked'), word).stdout, 'v0.1.0\n');
  const status = run(join(root, 'bin/holdfast-agent'), 'run', '--data-dir', join(dir, 'data'));
  t.match(status, { status: 1, stderr: /has not joined a hub/ }, 'its native addon is loaded');
  const about = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as object;
  t.match(about, { name: 'holdfast-agent', version: '0.1.0', arch: 'amd64', node: /^24\./ });
  const sbom = JSON.parse(readFileSync(join(root, 'sbom.cdx.json'), 'utf8')) as {
    components: { name: string; version: string; licenses: object[]; hashes?: object[] }[];
  };
  t.match(sbom, { bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber: /^urn:uuid:[0-9a-f-]{36}$/ });
  const names = sbom.components.map(({ name }) => name);
  for (const name of ['node', 'better-sqlite3', 'dockerode', 'mqtt', 'pino', 'grpc-js'])
    t.ok(names.includes(name), name);
  t.notOk(names.includes('typescript'));
  const notices = readFileSync(join(root, 'NOTICES'), 'utf8');
  for (const { name, version } of sbom.components.slice(1)) t.match(notices, `${name} ${version} (`);
});

t.test('Debian takes the packages, and gives them back', async (t) => {
  const dir = t.testdir({ root: { var: { lib: { dpkg: { status: '', updates: {}, info: {} } } } } });
  const root = join(dir, 'root');
  const dpkg = (...args: string[]) =>
    spawnSync('dpkg', [`--root=${root}`, '--force-not-root', '--force-script-chrootless', ...args], {
      encoding: 'utf8',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
  const installed = dpkg('--install', '--force-depends', at('holdfast-agent_0.1.0_amd64.deb'));
  t.equal(installed.status, 0, installed.stderr);
  const program = spawnSync(join(root, 'usr/bin/holdfast-agent'), ['help'], { encoding: 'utf8' });
  t.match(program.stdout, /holdfast-agent COMMAND/);
  const unit = readFileSync(join(root, 'lib/systemd/system/holdfast-agent.service'), 'utf8');
  t.match(unit, 'ExecStart=/usr/bin/holdfast-agent run');
  t.equal(dpkg('--purge', 'holdfast-agent').status, 0);
  t.notOk(existsSync(join(root, 'usr')), 'nothing is left');
  const hub = execFileSync('dpkg-deb', ['--contents', at('holdfast_0.1.0_arm64.deb')], {
    encoding: 'utf8',
    maxBuffer: 2 ** 24,
  });
  t.match(hub, './usr/bin/holdfast -> ../lib/holdfast/bin/holdfast');
  t.match(hub, './usr/bin/kubectl-holdfast ->');
  t.match(hub, './lib/systemd/system/holdfast-hub.service');
});
