import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { HubProgram } from '../support/hub-program.ts';
import { makeArchive, newSigningKey } from '../support/packages.ts';
import { Program } from '../support/program.ts';

/* Commands that are told what is wrong: each says so in one sentence, at once, and changes nothing. */

const hub = new HubProgram();
t.teardown(() => hub.close());
await hub.start();
const dir = t.testdir({ file: 'x', empty: {}, notes: { 'notes.txt': 'no package' } });
const at = (path: string) => join(dir, path);
const DATA = ['--data-dir', hub.dataDir];

async function told(program: Program): Promise<string> {
  t.equal(await program.exit(), 1, program.lines.join('\n'));
  return program.lines.join('\n');
}
const holdfast = (...args: string[]) => new Program('hub/main.ts', args);
const agent = (...args: string[]) => new Program('agent/main.ts', args);

t.test('a data directory that is no hub’s', async (t) => {
  for (const [name, command] of [
    ['packages', ['add', at('notes')]],
    ['packages', ['remove', 'x']],
    ['images', ['add', 'app:1']],
    ['images', ['remove', 'app:1']],
    ['bundle', ['create', at('a.bundle'), '--images', 'app:1']],
    ['bundle', ['inspect', at('a.bundle')]],
  ] as const)
    for (const place of ['typo', 'empty']) {
      const text = await told(holdfast(name, ...command, '--data-dir', at(place)));
      t.match(text, `no hub has its data in "${at(place)}": --data-dir must name`, `${name} ${command[0]}`);
    }
  t.notOk(existsSync(at('typo')));
  t.same(readdirSync(at('empty')), []);
});

t.test('a directory that is a file', async (t) => {
  const why = `the directory "${at('file')}" (--data-dir) can not be made: a file has this name`;
  const none = ['--api-port', '0', '--grpc-port', '0', '--mqtt-port', '0'];
  t.equal(await told(holdfast('hub', ...none, '--data-dir', at('file'))), `holdfast hub: ${why}`);
  t.equal(await told(agent('run', '--data-dir', at('file'))), `holdfast-agent run: ${why}`);
});

t.test('an engine’s address', async (t) => {
  const why = '--docker-host (DOCKER_HOST) must look like unix:///path or tcp://host:port, is "foo"';
  const wrong = ['--docker-host', 'foo'];
  t.equal(await told(holdfast('images', 'add', 'app:1', ...DATA, ...wrong)), `holdfast images: add: ${why}`);
  const bundle = ['bundle', 'create', at('a.bundle'), '--images', 'app:1'];
  t.equal(await told(holdfast(...bundle, ...DATA, ...wrong)), `holdfast bundle: create: ${why}`);
  t.equal(await told(agent('engine', 'check', ...wrong)), `holdfast-agent engine: ${why}`);
});

t.test('files of settings that never end, or contradict themselves', async (t) => {
  execFileSync('mkfifo', [at('fifo')]);
  for (const path of [at('fifo'), '/dev/zero'])
    t.match(
      await told(holdfast('config', 'check', path)),
      `the settings "${path}" can not be read: name a file that is there and may be read\n  because: it is no file`,
    );
  t.match(await told(agent('config', 'check', at('fifo'))), /because: it is no file/);
  writeFileSync(at('ports.yaml'), 'apiPort: 7000\nmqttPort: 7000\nlogLevel: loud\n');
  t.match(
    await told(holdfast('config', 'check', at('ports.yaml'))),
    /logLevel must be one of .*\napiPort and mqttPort must be different ports, are both 7000$/,
  );
  const same = ['--api-port', '0', '--grpc-port', '7000', '--mqtt-port', '7000', '--data-dir', at('hub')];
  t.match(
    await told(holdfast('hub', ...same)),
    /grpcPort and mqttPort must be different ports, are both 7000/,
  );
  writeFileSync(at('free.yaml'), 'apiPort: 0\ngrpcPort: 0\nmqttPort: 0\n');
  t.equal(await holdfast('config', 'check', at('free.yaml')).exit(), 0);
});

t.test('tokens', async (t) => {
  const join = ['join', '--hub', '127.0.0.1:1', '--data-dir', at('agent'), '--token-file', '/dev/zero'];
  t.match(
    await told(agent(...join)),
    /read the join token from "\/dev\/zero": .*\n +because: it is longer than 4096 bytes/,
  );
  for (const ttl of ['0s', '0d', '99999999d', '1', '-1h'])
    t.match(
      await told(holdfast('token', 'create', `--ttl=${ttl}`, '--kubeconfig', hub.kubeconfig)),
      `--ttl must be a duration such as 30m, 24h or 7d, of at most 3650d, is "${ttl}"`,
    );
});

t.test('bundles have packages, and nothing else that is called or lies as one', async (t) => {
  const key = newSigningKey();
  const good = makeArchive({ dir: at('good'), key, version: '1.0.0' });
  writeFileSync(at('good/SHA256SUMS'), 'of others\n');
  const lying = makeArchive({ dir: at('lying'), key, version: '1.0.0', says: { version: '2.0.0' } });
  mkdirSync(at('unsigned'));
  writeFileSync(at(`unsigned/${good}`), 'content');
  const create = (...paths: string[]) =>
    holdfast(
      'bundle',
      'create',
      at('x.bundle'),
      ...DATA,
      ...paths.flatMap((path) => ['--packages', at(path)]),
    );
  for (const [path, why] of [
    ['notes', /there is no package in ".*notes"/],
    ['notes/notes.txt', /notes\.txt" is no package: those are called as holdfast-agent-1\.2\.3-linux-arm64/],
    ['unsigned', /is not signed: its signature must be beside it/],
    [`lying/${lying}`, /it holds holdfast-agent 2\.0\.0 for amd64, and is called/],
    ['nowhere', /nowhere" is not there/],
  ] as const)
    t.match(await told(create('good', path)), why);
  t.notOk(existsSync(at('x.bundle')));
  t.notOk(
    readdirSync(dir).some((name) => name.startsWith('.holdfast-bundle-')),
    'nothing is left',
  );
  mkdirSync(at('.holdfast-bundle-999999999-of-one-that-was-killed'));
  const made = create('good');
  t.equal(await made.exit(), 0, made.lines.join('\n'));
  t.same(made.lines, [`packages/${good}`, `packages/${good}.minisig`]);
  t.notOk(
    readdirSync(dir).some((name) => name.startsWith('.holdfast-bundle-')),
    'nothing is left',
  );
});
