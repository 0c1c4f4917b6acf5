import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import t from 'tap';
import { readConnection } from '../../hub/cli/kubeconfig.ts';
import { kubectlPath } from '../../scripts/kubectl.ts';
import { Engine } from '../support/engine.ts';
import { makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods, shell } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* What goes beside state on the link: much of it at once, terminals that change their size, and a device that is away. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const MIB = 1024 * 1024;
const SIZE = 50 * MIB;
/** A status that waited for the copy would come with its end. */
const SOON_MS = 10_000;
const hashOf = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

for (const transport of ['mqtt', 'grpc'] as const) {
  t.test(`over ${transport}`, async (t) => {
    const stand = new Stand(engine, transport, `device-large-${transport}`);
    const pods = new SeenPods(stand);
    const env = { ...process.env, KUBECONFIG: stand.kubeconfig };
    t.teardown(() => stand.close());
    await makeAppImages(engine, [1]);
    await stand.start();
    const page = 'mkdir /w; httpd -p 8080 -h /w; while :; do sleep 1; done';
    const wait = 'w() { until test "$(busybox stty size)" = "$1"; do sleep 0.1; done; }';
    const size = `${wait}; w "20 60"; echo it is joined; w "41 99"; echo it is larger; read end`;
    await stand.apply(
      listOf(
        podOf('store', { main: { command: shell(page) } }),
        podOf('beside', { main: { command: shell('while :; do sleep 0.1; done') } }),
        podOf(
          'terminal',
          { main: { command: shell(size), tty: true, stdin: true } },
          { restartPolicy: 'Never' },
        ),
      ),
    );
    for (const name of ['store', 'beside', 'terminal']) await pods.ready(name);

    const copy = async (...args: string[]) =>
      promisify(execFile)(await kubectlPath(), ['cp', '--retries=0', ...args], { env, timeout: 200_000 });

    await t.test('50 MiB each way are whole, and status goes on meanwhile', async (t) => {
      const [there, back] = [join(stand.dir, 'there'), join(stand.dir, 'back')];
      writeFileSync(there, randomBytes(SIZE));
      let isCopying = true;
      const times: number[] = [];
      const restarts = async () => {
        while (isCopying) {
          const { restartCount = 0 } = (await pods.container('beside')) ?? {};
          await engine.kill(await pods.id('beside'));
          const startedMs = performance.now();
          await pods.when('it was counted', 'beside', (status) => status.restartCount > restartCount);
          times.push(performance.now() - startedMs);
          await stand.kubectl('delete', 'pod', 'beside', '--now');
          await stand.apply(podOf('beside', { main: { command: shell('while :; do sleep 0.1; done') } }));
          await pods.ready('beside');
        }
      };
      const others = restarts();
      const startedMs = performance.now();
      await copy(there, 'store:/tmp/copied');
      const betweenMs = performance.now();
      await copy('store:/tmp/copied', back);
      isCopying = false;
      const tookMs = performance.now() - startedMs;
      t.equal(hashOf(back), hashOf(there));
      const sum = await pods.exec('store', 'main', 'busybox', 'sha256sum', '/tmp/copied');
      t.equal(sum.split(' ')[0], hashOf(there), 'also on the device');
      await others;
      t.ok(times.length > 0 && Math.max(...times) < SOON_MS, `told after ${times.map(Math.round)} ms`);
      t.comment(`there ${Math.round(betweenMs - startedMs)} ms, both ${Math.round(tookMs)} ms`);
    });

    await t.test('50 MiB through a forwarded port', async (t) => {
      await pods.exec('store', 'main', 'sh', '-c', 'busybox ln -s /tmp/copied /w/copied');
      const kubectl = spawn(await kubectlPath(), ['port-forward', 'pod/store', ':8080'], { env });
      t.teardown(() => kubectl.kill());
      const [said] = await once(kubectl.stdout, 'data');
      const [, port] = /127\.0\.0\.1:(\d+)/.exec(String(said)) ?? [];
      const answer = await fetch(`http://127.0.0.1:${port}/copied`);
      const hash = createHash('sha256').update(Buffer.from(await answer.arrayBuffer()));
      t.equal(hash.digest('hex'), hashOf(join(stand.dir, 'there')));
    });

    for (const [what, args, answer] of [
      ['exec', `exec -it store -- sh -c '${size.replace('; read end', '')}'`, ''],
      ['attach', 'attach -it terminal', 'end'],
    ] as const)
      await t.test(`a terminal that changes its size: ${what}`, async (t) => {
        const begun = join(stand.dir, `begun-${what}`);
        const change = `(until test -f ${begun}; do sleep 0.1; done; stty rows 41 cols 99 < /dev/tty) & ${await kubectlPath()} ${args}`;
        const terminal = spawn('script', ['-qec', `stty rows 20 cols 60; ${change}`, '/dev/null'], { env });
        t.teardown(() => terminal.kill());
        // Asked for at once: where the program ends with its last line, it may be gone before that was looked at.
        const closed = once(terminal, 'close');
        const output: string[] = [];
        terminal.stdout.setEncoding('utf8').on('data', (part: string) => output.push(part));
        await until('it has the first size', () => output.join('').includes('it is joined'));
        writeFileSync(begun, '');
        t.ok(await until('the program sees it', () => output.join('').includes('it is larger')));
        if (answer) terminal.stdin.write(`${answer}\n`);
        await closed;
      });

    await t.test('a device that is away: all of it is refused at once', async (t) => {
      await stand.cutLink();
      const { server, tls } = readConnection(stand.kubeconfig);
      const upgrade = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'MDEyMzQ1Njc4OWFiY2RlZg==',
        'sec-websocket-protocol': 'v5.channel.k8s.io',
      };
      const spdy = {
        connection: 'Upgrade',
        upgrade: 'SPDY/3.1',
        'x-stream-protocol-version': 'v4.channel.k8s.io',
      };
      for (const [path, headers] of [
        ['log', {}],
        ['log?follow=true', {}],
        ['exec?command=ls&stdout=true', upgrade],
        ['exec?command=ls&stdout=true', spdy],
        ['attach?stdout=true', upgrade],
        ['portforward?ports=8080', { ...upgrade, 'sec-websocket-protocol': 'v4.channel.k8s.io' }],
      ] as const) {
        const url = new URL(`/api/v1/namespaces/default/pods/store/${path}`, server);
        const startedMs = performance.now();
        const [response] = await once(request(url, { ...tls, headers, agent: false }).end(), 'response');
        const said = await text(response);
        t.equal(response.statusCode, 503, path);
        t.match(said, /is not connected: its containers can be reached when it is back/, path);
        t.ok(performance.now() - startedMs < 1_000, path);
      }
    });
  });
}
