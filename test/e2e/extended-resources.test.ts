import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container, Node } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { lowestOomScore } from '../../agent/node/oom-score.ts';
import { Engine } from '../support/engine.ts';
import { makeAppImages } from '../support/images.ts';
import { listOf, podOf, SeenPods } from '../support/pods.ts';
import { mayMount } from '../support/small-disk.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* Devices of the machine as a resource of its Node: counted, given to one container each, and given back. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const CAMERA = 'holdfast.dev/camera';

const asking = (count: number): Partial<Container> => ({ resources: { limits: { [CAMERA]: `${count}` } } });
const onNode = (nodeName: string) => ({ nodeName });

t.test('devices for pods', { skip: !mayMount && 'only root makes devices', timeout: 300_000 }, async (t) => {
  await makeAppImages(engine, [1]);
  const stand = new Stand(engine, 'mqtt', 'devices');
  t.teardown(() => stand.close());
  const dev = join(stand.dir, 'dev');
  mkdirSync(dev);
  const plugIn = (name: string) => execFileSync('mknod', [join(dev, name), 'c', '1', '3']);
  plugIn('cam0');
  plugIn('cam1');
  const file = join(stand.dir, 'agent.yaml');
  const settings = (more: object = {}) =>
    writeFileSync(
      file,
      JSON.stringify({ devices: { [CAMERA]: [`${dev}/cam*`] }, podPidsLimit: 77, ...more }),
    );
  settings();
  const flags = ['--config', file, '--system-reserved', 'cpu=50m,memory=100Mi'];
  await stand.start(...flags);
  const pods = new SeenPods(stand);
  const node = async () => (await stand.api.call('GET', `/api/v1/nodes/${stand.node}`)) as Node;
  const counted = (capacity: string, allocatable: string) =>
    until(`the node tells of ${allocatable} devices of ${capacity}`, async () => {
      const { status } = await node();
      return status?.capacity?.[CAMERA] === capacity && status?.allocatable?.[CAMERA] === allocatable;
    });
  const cameraOf = async (name: string, container = 'main') => pods.exec(name, container, 'ls', dev);

  await counted('2', '2');
  const { status } = await node();
  const ki = (text = '0') => Number.parseInt(text, 10);
  t.equal(
    ki(status?.capacity?.['memory']) - ki(status?.allocatable?.['memory']),
    132 * 1024,
    'and what is kept',
  );

  await stand.apply(
    listOf(
      podOf('first', { main: asking(1) }),
      podOf('second', { main: asking(1), other: {} }),
      podOf('guaranteed', { main: { resources: { limits: { cpu: '100m', memory: '64Mi' } } } }),
    ),
  );
  await Promise.all(['first', 'second', 'guaranteed'].map((name) => pods.ready(name)));
  const had = await Promise.all([cameraOf('first'), cameraOf('second')]);
  t.same([...had].sort(), ['cam0', 'cam1'], 'each its own');
  await pods.exec('first', 'main', 'sh', '-c', `echo seen > ${dev}/${had[0]}`);
  await t.rejects(cameraOf('second', 'other'), 'nobody else has it');
  const score = (name: string) => pods.exec(name, 'main', 'cat', '/proc/1/oom_score_adj');
  t.same(await Promise.all([score('first'), score('guaranteed')]), [
    '1000',
    `${Math.max(lowestOomScore(), -997)}`,
  ]);
  const own = readFileSync(`/proc/${stand.agent.pid}/oom_score_adj`, 'utf8').trim();
  t.equal(own, `${Math.max(lowestOomScore(), -900)}`, 'the agent goes after them');
  const made = await engine.docker.getContainer(await pods.id('first')).inspect();
  t.equal(made.HostConfig.PidsLimit, 77);

  await stand.apply(
    listOf(podOf('third', { main: asking(1) }), podOf('bound', { main: asking(2) }, onNode('devices'))),
  );
  const bound = await pods.phase('bound', 'Failed');
  t.match(bound.status, {
    reason: 'UnexpectedAdmissionError',
    message: /unavailable for holdfast.dev\/camera. Requested: 2, Available: 0/,
  });
  await until('there is no device for one more', async () =>
    (await pods.get('third')).status?.conditions?.some(({ message }) =>
      message?.includes(`Insufficient ${CAMERA}`),
    ),
  );

  await stand.agent.end('SIGKILL');
  await stand.startAgent(...flags);
  await stand.agent.line(/connected to the hub/);
  await counted('2', '2');
  await engine.kill(await pods.id('first'));
  await pods.when('started anew', 'first', ({ restartCount, ready }) => restartCount === 1 && ready);
  t.same(
    await Promise.all([cameraOf('first'), cameraOf('second')]),
    had,
    'whoever made them, they keep what they had',
  );

  await stand.kubectl('delete', 'pod', 'first');
  await pods.ready('third');
  t.equal(await cameraOf('third'), had[0], 'what was given back is another’s');

  rmSync(join(dev, had[1] ?? ''));
  await counted('2', '1');
  plugIn('cam2');
  await counted('3', '2');
  t.equal((await pods.get('second')).status?.phase, 'Running', 'whose device is gone goes on');

  settings({ allowedDevices: [] });
  process.kill(stand.agent.pid, 'SIGHUP');
  await pods.when(
    'its owner takes it away',
    'third',
    ({ state }) => state?.waiting?.reason === 'DeniedByDevice',
  );
  symlinkSync('/dev/null', join(stand.dir, 'link'));
  const link = { name: 'link', hostPath: { path: join(stand.dir, 'link') } };
  const mounts = { volumeMounts: [{ name: 'link', mountPath: '/x' }] };
  await stand.apply(podOf('sly', { main: mounts }, { volumes: [link] }));
  await pods.when('a link leads to a device', 'sly', ({ state }) =>
    state?.waiting?.message?.includes('leads to /dev/null, which the owner of this device does not allow'),
  );
  settings({ allowedDevices: [CAMERA] });
  process.kill(stand.agent.pid, 'SIGHUP');
  await pods.ready('third');
  t.match(await cameraOf('third'), /^cam[0-9]$/);
});
