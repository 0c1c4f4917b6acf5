import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { ContainerStatus } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { type KubectlVersion, kubectlPath } from '../../scripts/kubectl.ts';
import { Engine } from '../support/engine.ts';
import { appImage, makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* `kubectl debug`: containers that somebody looks into a running pod with, copies of pods, pods that look into a node. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const stand = new Stand(engine, 'mqtt', 'device-debug');
const pods = new SeenPods(stand);
t.teardown(() => stand.close());
await makeAppImages(engine, [1, 2]);
await stand.start();

const served =
  'mkdir -p /w; echo hello > /w/index.html; httpd -p 8080 -h /w; echo up; while :; do sleep 1; done';
const IMAGE = `--image=${appImage(2)}`;

async function read(stream: Readable | null): Promise<string> {
  let text = '';
  for await (const part of stream ?? []) text += part;
  return text;
}

async function ended(child: ChildProcess): Promise<{ code: number | null; out: string; err: string }> {
  const [out, err, [code]] = await Promise.all([
    read(child.stdout),
    read(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, out, err };
}

/** The looking container's status once it is as `check` wants it. */
function lookOf(
  pod: string,
  name: string,
  check: (status: ContainerStatus) => unknown,
): Promise<ContainerStatus> {
  return until(`container ${name} looks into pod ${pod}`, async () => {
    const { status } = await pods.get(pod);
    const found = status?.ephemeralContainerStatuses?.find((each) => each.name === name);
    return found && check(found) ? found : undefined;
  });
}

const idsOf = async (pod: string) =>
  (await pods.get(pod)).status?.containerStatuses?.map(({ containerID }) => containerID);

for (const version of ['1.34', '1.35'] as KubectlVersion[]) {
  t.test(`kubectl ${version}`, async (t) => {
    const suffix = version.replace('.', '');
    const [one, two] = [`one-${suffix}`, `two-${suffix}`];
    await stand.apply(
      listOf(
        podOf(one, { main: { command: shell(served) } }),
        podOf(two, { first: { command: shell(served) }, second: {} }),
      ),
    );
    for (const name of [one, two]) await pods.ready(name);
    const before = { [one]: await idsOf(one), [two]: await idsOf(two) };
    const env = { ...process.env, KUBECONFIG: stand.kubeconfig };
    const kubectl = await kubectlPath(version);
    const run = (args: string[], input = '') => {
      const child = spawn(kubectl, args, { env, timeout: 90_000 });
      child.stdin.on('error', () => {});
      child.stdin.end(input);
      return ended(child);
    };
    const debug = (pod: string, name: string, ...args: string[]) =>
      run(['debug', pod, IMAGE, '-c', name, '--profile=general', ...args]);

    for (const pod of [one, two])
      t.test(`in the network of ${pod}`, async (t) => {
        const { code, err } = await debug(pod, 'net', '--', 'wget', '-qO-', 'http://127.0.0.1:8080/');
        t.equal(code, 0, err);
        const status = await lookOf(pod, 'net', ({ state }) => state?.terminated);
        t.match(status, { ready: false, restartCount: 0, state: { terminated: { exitCode: 0 } } });
        t.equal((await run(['logs', pod, '-c', 'net'])).out, 'hello\n');
      });

    t.test('of its target it sees the processes too', async (t) => {
      const { code, err } = await debug(two, 'eyes', '--target=first', '--', 'cat', '/proc/1/cmdline');
      t.equal(code, 0, err);
      await lookOf(two, 'eyes', ({ state }) => state?.terminated);
      t.match((await run(['logs', two, '-c', 'eyes'])).out, /httpd/, 'process 1 is the target');
    });

    t.test('a shell with a terminal, more commands in it, and its end', async (t) => {
      const command = `${kubectl} debug -it ${one} ${IMAGE} -c shell --profile=general -- sh -c 'read line; test -t 0 && echo "got $line"; exit 3'`;
      const terminal = spawn('script', ['-qec', command, '/dev/null'], { env, timeout: 90_000 });
      let said = '';
      terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      await lookOf(one, 'shell', ({ state }) => state?.running);
      const inside = await run(['exec', one, '-c', 'shell', '--', 'cat', '/www/version']);
      t.equal(inside.out, '2\n', 'it runs an image of its own');
      await until('the shell asks', async () => /pressing enter/.test(said));
      terminal.stdin.write('word\r');
      await once(terminal, 'exit');
      t.match(said, /got word/);
      t.notMatch(said, /warning|error/i);
      const status = await lookOf(one, 'shell', ({ state }) => state?.terminated);
      t.equal(status.state?.terminated?.exitCode, 3);
    });

    t.test('it can be attached to again while it runs', async (t) => {
      const loop = 'echo begun; while read line; do echo "got $line"; done';
      await debug(one, 'reader', '-i', '--attach=false', '--', ...shell(loop));
      await lookOf(one, 'reader', ({ state }) => state?.running);
      const attached = spawn(kubectl, ['attach', '-i', one, '-c', 'reader'], { env, timeout: 90_000 });
      attached.stdin.write('word\n');
      let said = '';
      for await (const part of attached.stdout.setEncoding('utf8')) {
        said += part;
        if (said.includes('got word')) break;
      }
      attached.kill();
      t.match(said, /got word/);
    });

    t.test('what can not be run is told', async (t) => {
      await debug(one, 'wrong', '--attach=false', '--', 'no-such-command');
      const failed = await lookOf(one, 'wrong', ({ state }) => state?.terminated);
      t.match(failed.state?.terminated, { exitCode: 128, reason: 'StartError', message: /no-such-command/ });
      const refused = await debug(one, 'lost', '--target=nobody', '--attach=false');
      t.match(refused.err, /spec.ephemeralContainers\[\d\].targetContainerName: Not found: "nobody"/);
    });

    t.test('who is looked into notices nothing, and takes it along', async (t) => {
      for (const pod of [one, two]) {
        t.same(await idsOf(pod), before[pod], 'no container of the pod was touched');
        t.ok(await pods.isReady(pod));
      }
      t.match((await run(['describe', 'pod', one])).out, /Ephemeral Containers:\n {2}net:/);
      await stand.agent.end('SIGKILL');
      await stand.startAgent();
      await lookOf(one, 'reader', ({ state }) => state?.running);
      t.equal((await lookOf(one, 'net', () => true)).restartCount, 0, 'another agent starts nothing again');
      t.equal((await run(['delete', 'pod', one, two])).code, 0);
      await until('nothing is left', async () => {
        const left = await engine.containers(stand.node, { all: true });
        return !left.some(({ pod }) => pod === one || pod === two);
      });
    });

    t.test('a pod that has ended takes it along', async (t) => {
      const name = `ends-${suffix}`;
      const main = { command: shell('read line'), stdin: true, stdinOnce: true };
      await stand.apply(podOf(name, { main }, { restartPolicy: 'Never' }));
      await pods.ready(name);
      await debug(name, 'look', '--attach=false', '--', 'sleep', '1000');
      await lookOf(name, 'look', ({ state }) => state?.running);
      await run(['attach', '-i', name], 'over\n');
      await pods.phase(name, 'Succeeded');
      const { restartCount } = await lookOf(name, 'look', ({ state }) => state?.terminated);
      t.equal(restartCount, 0);
    });

    t.test('a copy of the pod, whose containers see each other', async (t) => {
      const name = `copied-${suffix}`;
      await stand.apply(podOf(name, { main: { command: shell(served) } }));
      await pods.ready(name);
      const copy = `copy-${suffix}`;
      const made = await debug(name, 'beside', `--copy-to=${copy}`, '--attach=false', '--', 'sleep', '1000');
      t.equal(made.code, 0, made.err);
      await pods.ready(copy);
      const orphans = await pods.exec(
        copy,
        'beside',
        'sh',
        '-c',
        'p=$(sleep 0.1 >/dev/null & echo $!); for i in $(seq 1000); do test -d /proc/$p || { echo gone; exit; }; sleep 0.01; done',
      );
      t.equal(orphans, 'gone', 'orphans that ended leave nothing behind');
      t.match(await pods.exec(copy, 'beside', 'sh', '-c', 'cat /proc/[0-9]*/cmdline'), /httpd/);
    });

    t.test('a pod that looks into the node', async (t) => {
      const { code, out, err } = await run([
        'debug',
        `node/${stand.node}`,
        IMAGE,
        '-i',
        '--profile=general',
        '--',
        'ls',
        '/host/proc/1/ns',
      ]);
      t.equal(code, 0, err);
      t.match(out, /Creating debugging pod node-debugger-\S+ with container debugger on node device-debug/);
      const found = await run([
        'get',
        'pods',
        '-l',
        'app.kubernetes.io/managed-by=kubectl-debug',
        '-o',
        'jsonpath={.items[-1:].metadata.name}',
      ]);
      await pods.phase(found.out, 'Succeeded');
      t.match((await run(['logs', found.out])).out, /^mnt$/m);
      t.equal((await run(['delete', 'pod', found.out])).code, 0);
    });
  });
}
