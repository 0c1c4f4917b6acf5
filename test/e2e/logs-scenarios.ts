import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { kubectlPath } from '../../scripts/kubectl.ts';
import type { Engine } from '../support/engine.ts';
import { makeAppImages, WORK } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/*
 * `kubectl logs`, through the link: what containers said, as they say it, and what is told when it cannot be had.
 */

const BIG_LINES = 5_000;
const BIG_LINE = 'x'.repeat(1_041); // with its number: 1 KiB and 25 bytes a line, more than 5 MB of them

const big = Array.from(
  { length: BIG_LINES },
  (_, index) => `${String(index).padStart(7, '0')} ${BIG_LINE}\n`,
).join('');

export async function logsOfContainers(t: Test, engine: Engine): Promise<void> {
  const stand = new Stand(engine, 'mqtt', 'device-logs');
  const pods = new SeenPods(stand);
  const root = join(stand.dir, 'host');
  const control = { volumeMounts: [{ name: 'ctl', mountPath: '/ctl' }] };
  const volumes = [{ name: 'ctl', hostPath: { path: root } }];
  const onceToldTo = (name: string) => `until test -f /ctl/${name}; do sleep 0.05; done`;
  const logs = (...args: string[]) => stand.kubectl('logs', '--request-timeout=30s', ...args);
  const follow = async (...args: string[]) => {
    const env = { ...process.env, KUBECONFIG: stand.kubeconfig };
    const child = spawn(await kubectlPath(), ['logs', '-f', ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lines: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => lines.push(line));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    t.teardown(() => child.kill());
    return { lines, ended };
  };

  t.teardown(() => stand.close());
  await makeAppImages(engine, [1]);
  mkdirSync(root);
  await stand.start();
  const ending = (name: string) =>
    podOf(
      name,
      {
        main: {
          command: shell(
            `echo first; ${onceToldTo(name)}; echo second; ${onceToldTo(`${name}-end`)}; echo last`,
          ),
          ...control,
        },
      },
      { volumes, restartPolicy: 'Never' },
    );
  await stand.apply(
    listOf(
      podOf('speaking', {
        one: { command: shell(`echo one; echo to stderr >&2; echo three; ${WORK}`) },
        two: { command: shell(`for i in 1 2 3 4 5; do echo line $i; done; ${WORK}`) },
      }),
      ending('ending'),
      podOf(
        'again',
        {
          main: {
            command: shell(
              `if test -f /ctl/again; then echo attempt two; ${WORK}; fi; echo attempt one; touch /ctl/again`,
            ),
            ...control,
          },
        },
        { volumes },
      ),
      podOf(
        'big',
        {
          main: {
            command: [
              'busybox',
              'awk',
              `BEGIN { for (i = 0; i < ${BIG_LINES}; i++) printf "%07d %s\\n", i, "${BIG_LINE}" }`,
            ],
          },
        },
        { restartPolicy: 'Never' },
      ),
      podOf('silent', { main: { image: 'holdfast.test/none:1', imagePullPolicy: 'Never' } }),
    ),
  );

  await t.test('all that a container said, both streams', async (t) => {
    await pods.ready('speaking');
    t.same((await logs('speaking', '-c', 'one')).split('\n').sort(), ['', 'one', 'three', 'to stderr']);
    t.equal(await logs('speaking', '-c', 'two'), 'line 1\nline 2\nline 3\nline 4\nline 5\n');
    const all = await logs('speaking', '--all-containers', '--prefix');
    t.match(all, '[pod/speaking/one] three\n');
    t.match(all, '[pod/speaking/two] line 5\n');
    await t.rejects(logs('speaking', '-c', 'three'), /container three is not valid for pod speaking/);
  });

  await t.test('some of it', async (t) => {
    t.equal(await logs('speaking', '-c', 'two', '--tail=2'), 'line 4\nline 5\n');
    t.equal(await logs('speaking', '-c', 'two', '--tail=0'), '');
    t.equal(await logs('speaking', '-c', 'two', '--limit-bytes=10'), 'line 1\nlin');
    t.match(await logs('speaking', '-c', 'two', '--since=1h'), /^line 1\n/);
    const raw = (query: string) =>
      stand.kubectl('get', '--raw', `/api/v1/namespaces/default/pods/speaking/log?${query}`);
    t.same((await raw('container=one&stream=Stdout')).split('\n').sort(), ['', 'one', 'three']);
    t.equal(await raw('container=one&stream=Stderr'), 'to stderr\n');
    const times = (await logs('speaking', '-c', 'two', '--timestamps')).trimEnd().split('\n');
    const [third = ''] = times[2]?.split(' ') ?? [];
    t.match(
      await logs('speaking', '-c', 'two', `--since-time=${third.replace(/\d{6}Z$/, 'Z')}`),
      /line 3\nline 4\nline 5\n$/,
    );
    const later = new Date(Date.now() + 3_600_000).toISOString();
    t.equal(await logs('speaking', '-c', 'two', `--since-time=${later}`), '');
    await until(
      'it is older than a second',
      async () => (await logs('speaking', '-c', 'two', '--since=1s')) === '',
    );
  });

  await t.test('with times', async (t) => {
    const lines = (await logs('speaking', '-c', 'two', '--timestamps')).trimEnd().split('\n');
    t.equal(lines.length, 5);
    for (const [index, line] of lines.entries()) {
      const [time = '', ...text] = line.split(' ');
      // Podman tells whole seconds.
      t.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
      if (engine.kind === 'docker') t.match(time, '.');
      t.ok(Math.abs(Date.parse(time) - Date.now()) < 120_000);
      t.equal(text.join(' '), `line ${index + 1}`);
    }
  });

  await t.test('as it is said, and to the end of the container', async (t) => {
    await pods.ready('ending');
    const { lines, ended } = await follow('ending');
    await until('the first line is there', () => lines.includes('first'));
    writeFileSync(join(root, 'ending'), '');
    await until('the second line is there', () => lines.includes('second'));
    writeFileSync(join(root, 'ending-end'), '');
    t.equal(await ended, 0);
    t.same(lines, ['first', 'second', 'last']);
    await pods.phase('ending', 'Succeeded');
    t.equal(await logs('ending'), 'first\nsecond\nlast\n', 'it can be read afterwards');
    t.equal(await logs('ending', '-f'), 'first\nsecond\nlast\n', 'following it ends at once');
  });

  await t.test('of the run before', async (t) => {
    await pods.when('it runs again', 'again', ({ restartCount, ready }) => restartCount === 1 && ready);
    await until('it speaks', async () => (await logs('again')) === 'attempt two\n');
    t.equal(await logs('again', '--previous'), 'attempt one\n');
    await t.rejects(
      logs('speaking', '-c', 'one', '--previous'),
      /previous terminated container "one" in pod "speaking" not found/,
    );
  });

  await t.test('much of it arrives whole', async (t) => {
    await pods.phase('big', 'Succeeded');
    t.ok(big.length > 5_000_000);
    t.ok((await logs('big')) === big, 'read');
    t.ok((await logs('big', '-f')) === big, 'followed');
  });

  await t.test('over the change of the file', async (t) => {
    const lines = (count: number, letter: string) =>
      `busybox awk 'BEGIN { for (i = 0; i < ${count}; i++) printf "${letter}%07d ${BIG_LINE}\\n", i }'`;
    const script = `${lines(6_000, 'a')}; ${onceToldTo('turn')}; ${lines(6_000, 'b')}; ${onceToldTo('flood')}; ${lines(20_000, 'c')}; echo over`;
    await stand.apply(
      podOf('turning', { main: { command: shell(script), ...control } }, { volumes, restartPolicy: 'Never' }),
    );
    await pods.ready('turning');
    const { lines: followed, ended } = await follow('turning');
    // An engine of 20.10 says some lines twice when the file changes; as the kubelet, the agent gives on what it gets.
    const count = (letter: string) => new Set(followed.filter((line) => line.startsWith(letter))).size;
    await until('the first are read', () => count('a') === 6_000);
    writeFileSync(join(root, 'turn'), '');
    await until('who follows goes on in the next file', () => count('b') === 6_000);
    t.ok(
      followed.every((line) => line.length === BIG_LINE.length + 9),
      'each line is whole',
    );
    t.equal(new Set(followed).size, 12_000, 'none is missing');
    writeFileSync(join(root, 'flood'), '');
    await pods.phase('turning', 'Succeeded');
    await ended;
    const kept = (await logs('turning')).split('\n');
    t.equal(kept.at(-2), 'over');
    t.ok(kept.length < 20_000, 'no more than 16 MiB are kept');
    // Podman begins its one file anew.
    if (engine.kind === 'docker') t.ok(kept.length > 6_000, 'and not less than one file of two');
  });

  await t.test('a reader that does not keep up holds up nobody else, and loses nothing', async (t) => {
    const env = { ...process.env, KUBECONFIG: stand.kubeconfig };
    const child = spawn(await kubectlPath(), ['logs', 'big'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => child.kill());
    await new Promise((resolve) => child.stdout.once('readable', resolve)); // and reads nothing
    t.equal(await logs('ending'), 'first\nsecond\nlast\n');
    await stand.apply(podOf('meanwhile', { main: {} }));
    await pods.ready('meanwhile');
    let read = '';
    child.stdout.setEncoding('utf8');
    for await (const chunk of child.stdout) read += chunk;
    t.ok(read === big, 'all of it came');
  });

  await t.test('of a container that has not run', async (t) => {
    await pods.when('it waits', 'silent', ({ state }) => state?.waiting?.reason === 'ErrImageNeverPull');
    await t.rejects(
      logs('silent'),
      /container "main" in pod "silent" is waiting to start: ErrImageNeverPull/,
    );
  });

  await t.test('of a device that is cut off', async (t) => {
    const { lines, ended } = await follow('speaking', '-c', 'two');
    await until('it is followed', () => lines.length === 5);
    await stand.cutLink();
    await ended;
    t.match(lines.at(-1), `the connection to node "${stand.node}" was lost`, 'who follows is told');
    const path = '/api/v1/namespaces/default/pods/ending/log';
    await t.rejects(stand.kubectl('get', '--raw', path), /ServiceUnavailable/, 'it is a 503');
    await t.rejects(
      logs('ending'),
      new RegExp(`node "${stand.node}" is not connected: its containers can be reached when it is back`),
    );
    await stand.restoreLink();
    await until('it is back', async () => (await logs('ending')) === 'first\nsecond\nlast\n', 90_000);
  });
}
