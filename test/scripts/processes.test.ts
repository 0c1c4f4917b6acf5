import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { isDebian } from '../../scripts/apt.ts';
import { isServed, isStale } from '../../scripts/docker-engine.ts';
import { nodeName } from '../../scripts/local-processes.ts';
import { commandOf, readFrom, runningPid, startDaemon, stopProcess } from '../../scripts/processes.ts';
import { until } from '../../scripts/until.ts';

const any = () => true;
const GONE = 2 ** 22 + 1; // above the largest process id

t.test('the process that a pid file names', async (t) => {
  const file = join(t.testdir(), 'a.pid');
  t.equal(runningPid(file, any), undefined, 'no file');
  for (const [content, expected, what] of [
    [`${process.pid}\n`, process.pid, 'this one'],
    [`${GONE}\n`, undefined, 'one that is gone'],
    ['', undefined, 'an empty file'],
    ['garbage', undefined, 'garbage'],
    ['-1', undefined, 'not an id'],
  ] as const) {
    writeFileSync(file, content);
    t.equal(runningPid(file, any), expected, what);
  }
  writeFileSync(file, String(process.pid));
  t.equal(
    runningPid(file, (command) => command.includes('another')),
    undefined,
    'another program with that id',
  );
});

t.test('a daemon is started, known and stopped', async (t) => {
  const dir = t.testdir();
  const [pidFile, logFile] = [join(dir, 'a.pid'), join(dir, 'a.log')];
  const isIt = (command: readonly string[]) => command.includes('setInterval(() => {}, 1e6); console.log(1)');
  const args = ['-e', 'setInterval(() => {}, 1e6); console.log(1)'];
  const daemon = startDaemon({ program: process.execPath, args, logFile, pidFile });
  t.ok(await until(() => readFrom(logFile, 0) === '1\n', 5_000), 'its output is in its log');
  t.equal(runningPid(pidFile, isIt), daemon.pid);
  t.equal(daemon.ended(), undefined);
  t.ok(await stopProcess(pidFile, isIt));
  t.equal(commandOf(daemon.pid), undefined);
  t.notOk(existsSync(pidFile));
  t.equal(await until(daemon.ended, 5_000), 'ended by SIGTERM');
  t.notOk(await stopProcess(pidFile, isIt), 'there is none to stop any more');
});

t.test('one that does not heed TERM is killed', async (t) => {
  const dir = t.testdir();
  const pidFile = join(dir, 'a.pid');
  const code = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1e6); console.log(1)';
  const logFile = join(dir, 'a.log');
  const daemon = startDaemon({ program: process.execPath, args: ['-e', code], logFile, pidFile });
  await until(() => readFrom(logFile, 0) === '1\n', 5_000);
  t.ok(await stopProcess(pidFile, any, 100));
  t.equal(await until(daemon.ended, 5_000), 'ended by SIGKILL');
});

t.test('another program under the id of an old pid file is left alone', async (t) => {
  const file = join(t.testdir(), 'a.pid');
  const other = spawn('sleep', ['100']);
  t.teardown(() => other.kill());
  await once(other, 'spawn');
  writeFileSync(file, String(other.pid));
  t.notOk(await stopProcess(file, (command) => command.includes('hub')));
  t.ok(commandOf(other.pid ?? 0));
  t.notOk(existsSync(file), 'and the file goes');
});

t.test('a program that cannot be started says so', async (t) => {
  const dir = t.testdir();
  const daemon = startDaemon({
    program: join(dir, 'no-such-program'),
    args: [],
    logFile: join(dir, 'a.log'),
    pidFile: join(dir, 'a.pid'),
  });
  t.match(await until(daemon.ended, 5_000), /ENOENT/);
  t.notOk(existsSync(join(dir, 'a.pid')));
});

t.test('what an engine that was killed leaves behind', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-')); // a socket's path must be short
  t.teardown(() => rmSync(dir, { recursive: true }));
  const pidFile = join(dir, 'docker.pid');
  t.notOk(isStale(pidFile, 'dockerd'), 'no file is not stale');
  writeFileSync(pidFile, String(GONE));
  t.ok(isStale(pidFile, 'dockerd'), 'its process is gone');
  writeFileSync(pidFile, String(process.pid));
  t.ok(isStale(pidFile, 'dockerd'), 'another program has the id now');
  t.notOk(isStale(pidFile, 'node'), 'it still runs');

  const socket = join(dir, 'containerd.sock');
  const holder = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(socket)})`,
  ]);
  await until(() => existsSync(socket), 5_000);
  t.ok(await isServed(socket));
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  t.ok(existsSync(socket), 'the file stays');
  t.notOk(await isServed(socket));

  const server = createServer().listen(join(dir, 'live.sock'));
  t.teardown(() => server.close());
  await once(server, 'listening');
  t.ok(await isServed(join(dir, 'live.sock')));
});

t.test('Debian and what is made from it', async (t) => {
  t.ok(isDebian('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'));
  t.ok(isDebian('ID=ubuntu\nID_LIKE=debian\n'));
  t.ok(isDebian('ID=linuxmint\nID_LIKE="ubuntu debian"\n'));
  t.notOk(isDebian('ID=alpine\n'));
  t.notOk(isDebian('ID=fedora\nNAME="not debian"\n'));
  t.notOk(isDebian(''));
});

t.test("a machine's name as a node's", async (t) => {
  for (const [machine, node] of [
    ['vm', 'vm'],
    ['My_Machine.Local', 'my-machine.local'],
    ['-a-.-b-', 'a.b'],
    ['___', 'this-machine'],
  ] as const)
    t.equal(nodeName(machine), node);
});
