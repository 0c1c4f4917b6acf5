import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { Exec, KubeConfig, PortForward, type V1Status } from '@kubernetes/client-node';
import type { Test } from 'tap';
import { type KubectlVersion, kubectlPath } from '../../scripts/kubectl.ts';
import type { Engine } from '../support/engine.ts';
import { makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';

/* Commands in containers and connections to them: real kubectls and the JavaScript client, over both transports. */

const MIB = 1024 * 1024;
/** kubectl then takes SPDY at once, which otherwise is what it falls back to. */
const SPDY = {
  KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false',
  KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false',
};
const hashOf = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

async function read(stream: Readable | null): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream ?? []) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

export async function execScenarios(t: Test, engine: Engine, transport: 'mqtt' | 'grpc'): Promise<void> {
  const stand = new Stand(engine, transport, `device-exec-${transport}`);
  const pods = new SeenPods(stand);
  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  await stand.start();
  const page = 'mkdir /w; echo hello > /w/index.html; httpd -p 8080 -h /w;';
  const echo = 'echo begun; while read line; do echo "got $line"; done; echo over';
  await stand.apply(
    listOf(
      podOf('shell', { main: { command: shell(`${page} while :; do sleep 1; done`) } }),
      podOf('two', { first: {}, second: {} }),
      podOf(
        'reader',
        { main: { command: shell(echo), stdin: true, stdinOnce: true } },
        { restartPolicy: 'Never' },
      ),
      podOf('ended', { main: { command: shell('exit 0') } }, { restartPolicy: 'Never' }),
    ),
  );
  for (const name of ['shell', 'two', 'reader']) await pods.ready(name);
  await pods.phase('ended', 'Succeeded');

  const start = async (version: KubectlVersion, args: readonly string[], env = {}) => {
    const environment = { ...process.env, KUBECONFIG: stand.kubeconfig, ...env };
    return spawn(await kubectlPath(version), args, { env: environment, timeout: 90_000 });
  };
  const ended = async (kubectl: ChildProcess): Promise<Ended> => {
    const [stdout, stderr, [code]] = await Promise.all([
      read(kubectl.stdout),
      read(kubectl.stderr),
      once(kubectl, 'exit') as Promise<[number | null]>,
    ]);
    return { code, stdout, stderr: stderr.toString() };
  };

  const clients: [string, KubectlVersion, Record<string, string>][] = [
    ['kubectl 1.34 on WebSocket', '1.34', {}],
    ['kubectl 1.35 on WebSocket', '1.35', {}],
    ['kubectl 1.34 on SPDY', '1.34', SPDY],
  ];
  for (const [client, version, env] of clients) {
    const run = async (args: readonly string[], input?: Uint8Array) => {
      const kubectl = await start(version, args, env);
      kubectl.stdin.on('error', () => {}); // a command may end before it has read everything
      kubectl.stdin.end(input);
      return ended(kubectl);
    };

    t.test(client, async (t) => {
      t.test('output, errors and the exit code', async (t) => {
        const said = await run(['exec', 'shell', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3']);
        t.equal(said.stdout.toString(), 'out\n');
        t.match(said.stderr, /^err\n/);
        t.match(said.stderr, /command terminated with exit code 3/);
        t.equal(said.code, 3);
      });

      t.test('input, to its end', async (t) => {
        const input = randomBytes(5 * MIB);
        const { code, stdout, stderr } = await run(['exec', '-i', 'shell', '--', 'cat'], input);
        t.equal(code, 0, stderr);
        t.equal(hashOf(stdout), hashOf(input));
      });

      t.test('much output', async (t) => {
        const { stdout } = await run(['exec', 'shell', '--', 'dd', 'if=/dev/zero', 'bs=1M', 'count=20']);
        t.equal(stdout.length, 20 * MIB);
      });

      t.test('a container by name; without one, the first', async (t) => {
        const second = await run(['exec', 'two', '-c', 'second', '--', 'echo', 'x']);
        t.equal(second.stdout.toString(), 'x\n');
        const first = await run(['exec', 'two', '--', 'echo', 'y']);
        t.equal(first.stdout.toString(), 'y\n');
        t.match(first.stderr, /Defaulted container "first" out of: first, second/);
      });

      t.test('what can not be', async (t) => {
        const missing = await run(['exec', 'two', '-c', 'third', '--', 'echo']);
        t.match(missing.stderr, /container third is not valid for pod two/);
        const completed = await run(['exec', 'ended', '--', 'echo']);
        t.match(completed.stderr, /cannot exec into a container in a completed pod/);
        const command = await run(['exec', 'shell', '--', 'no-such-command']);
        t.not(command.code, 0);
        t.match(command.stdout.toString() + command.stderr, /no-such-command.*not found/);
      });

      t.test('cp, both ways', async (t) => {
        const [there, back] = [join(stand.dir, 'there'), join(stand.dir, 'back')];
        const data = randomBytes(3 * MIB);
        writeFileSync(there, data);
        const to = await run(['cp', there, 'shell:/tmp/copied']);
        t.equal(to.code, 0, to.stderr);
        const from = await run(['cp', 'shell:/tmp/copied', back]);
        t.equal(from.code, 0, from.stderr);
        t.equal(hashOf(readFileSync(back)), hashOf(data));
      });

      t.test('port-forward', async (t) => {
        const kubectl = await start(version, ['port-forward', 'pod/shell', ':8080', ':8081'], env);
        const lines = kubectl.stdout.setEncoding('utf8');
        let said = '';
        while (said.split('->').length < 3) said += await once(lines, 'data');
        const [http = 0, none = 0] = [...said.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => port);
        const pages = await Promise.all(
          Array.from({ length: 8 }, async () => (await fetch(`http://127.0.0.1:${http}/`)).text()),
        );
        t.same(new Set(pages), new Set(['hello\n']));
        await t.rejects(fetch(`http://127.0.0.1:${none}/`), 'where nothing listens');
        kubectl.kill();
        await once(kubectl, 'exit');
      });
    });
  }

  t.test('a terminal', async (t) => {
    const kubectl = await kubectlPath();
    // `script` gives it a terminal of its own.
    const command = `stty rows 33 cols 77; ${kubectl} exec -it shell -- sh -c 'sleep 0.3; stty size; test -t 0 && echo is-a-terminal; exit 4'`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...process.env, KUBECONFIG: stand.kubeconfig },
      timeout: 90_000,
    });
    const { stdout, code } = await ended(terminal);
    t.match(stdout.toString(), /33 77/);
    t.match(stdout.toString(), /is-a-terminal/);
    t.equal(code, 4);
  });

  t.test('attach', async (t) => {
    const kubectl = await start('1.34', ['attach', '-i', 'reader']);
    kubectl.stdin.end('one\ntwo\n');
    const { stdout } = await ended(kubectl);
    t.match(stdout.toString(), /got one\ngot two\nover\n/);
    await pods.phase('reader', 'Succeeded');
  });

  t.test('the JavaScript client', async (t) => {
    const config = new KubeConfig();
    config.loadFromFile(stand.kubeconfig);
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const outcome = new Promise<V1Status>((resolve, reject) => {
      const script = shell('cat; echo err >&2; exit 5');
      new Exec(config)
        .exec('default', 'shell', '', script, stdout, stderr, PassThrough.from(['in']), false, resolve)
        .catch(reject);
    });
    t.match(await outcome, {
      status: 'Failure',
      details: { causes: [{ reason: 'ExitCode', message: '5' }] },
    });
    t.equal(String(stdout.read()), 'in');
    t.equal(String(stderr.read()), 'err\n');

    const [answer, failure, asked] = [new PassThrough(), new PassThrough(), new PassThrough()];
    await new PortForward(config).portForward('default', 'shell', [8080], answer, failure, asked);
    asked.write('GET / HTTP/1.0\r\n\r\n');
    let text = '';
    for await (const part of answer) {
      text += String(part);
      if (text.includes('hello')) break;
    }
    t.match(text, /200 OK/);
  });

  t.test(
    'a connection that is lost ends what runs over it, and a device that is away is told of',
    async (t) => {
      const kubectl = await start('1.34', ['exec', 'shell', '--', 'sh', '-c', 'echo begun; sleep 1000']);
      await once(kubectl.stdout, 'data');
      const over = ended(kubectl);
      await stand.cutLink();
      t.match((await over).stderr, /the connection to node "device-exec-.*" was lost/);
      const away = await ended(await start('1.34', ['exec', 'shell', '--', 'echo']));
      t.match(away.stderr, /node "device-exec-.*" is not connected/);
      await stand.restoreLink();
    },
  );
}
