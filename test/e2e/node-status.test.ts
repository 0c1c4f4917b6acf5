import type { Node } from 'kubernetes-types/core/v1.d.ts';
import t from 'tap';
import { DockerRuntime } from '../../agent/runtime/docker-runtime.ts';
import { Engine } from '../support/engine.ts';
import { appImage, makeAppImages } from '../support/images.ts';
import { podOf, SeenPods } from '../support/pods.ts';
import { Stand } from '../support/stand.ts';
import { until } from '../support/until.ts';

/* What a real device says of itself, as operators and Kubernetes' tools look at it. */

const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
const NODE = 'device-status';
/** Large enough to be among those that are told of, whatever else is on the engine. */
const OWN = 'node-status';

t.test('a Node', async (t) => {
  const stand = new Stand(engine, 'mqtt', NODE);
  const pods = new SeenPods(stand);
  const remove = (version: number) => engine.docker.getImage(appImage(version, OWN)).remove({ force: true });
  t.teardown(async () => {
    await stand.close();
    await Promise.all([1, 2].map((version) => remove(version).catch(() => undefined)));
  });
  await makeAppImages(engine, [1], OWN);
  await stand.start();
  const node = async () => (await stand.api.call('GET', `/api/v1/nodes/${NODE}`)) as Node;
  const names = async () => ((await node()).status?.images ?? []).flatMap((image) => image.names ?? []);
  const tells = (version: number) => async () => (await names()).includes(appImage(version, OWN));

  await t.test('its images follow what the engine has', async (t) => {
    const engineHas = (await engine.docker.listImages()).length;
    await until('they are told', async () => (await names()).length > 0);
    const told = (await node()).status?.images ?? [];
    t.ok(told.length <= Math.min(50, engineHas));
    t.ok(told.every(({ sizeBytes = 0 }, at) => sizeBytes <= (told[at - 1]?.sizeBytes ?? Number.MAX_VALUE)));
    const runtime = new DockerRuntime({
      host: engine.host,
      node: NODE,
      monotonicMs: () => performance.now(),
    });
    const listening = new AbortController();
    const changes = await runtime.changes(listening.signal);
    const made = makeAppImages(engine, [1], OWN);
    for await (const change of changes) if ('changedImages' in change) break;
    await made;
    listening.abort();
    const found = await Array.fromAsync(runtime.namedImages());
    t.ok(found.some(({ names, sizeBytes }) => names.includes(appImage(1, OWN)) && sizeBytes > 0));
    if (engineHas > 50) return t.comment('the engine has more images than a Node tells of');
    t.ok(await until('the image is told', tells(1)));
    await makeAppImages(engine, [2], OWN);
    t.ok(await until('one that came is told', tells(2)));
    await remove(2);
    return t.ok(await until('one that went is not', async () => !(await tells(2)())));
  });

  await t.test('what Kubernetes has on every Node', async (t) => {
    await until('the slow facts are there', async () => (await node()).status?.nodeInfo?.machineID);
    const { metadata, status } = await node();
    t.match(metadata?.labels, {
      'kubernetes.io/hostname': NODE,
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': /^(amd64|arm64)$/,
    });
    t.same(status?.daemonEndpoints, { kubeletEndpoint: { Port: 0 } });
    const conditions = Object.fromEntries((status?.conditions ?? []).map((each) => [each.type, each.status]));
    t.match(conditions, { Ready: 'True', ClockUntrusted: 'False' });
    t.match(
      status?.addresses?.map(({ type }) => type),
      ['InternalIP', 'Hostname'],
    );
    const { nodeInfo } = status ?? {};
    for (const field of [
      'bootID',
      'kernelVersion',
      'kubeletVersion',
      'osImage',
      'containerRuntimeVersion',
    ] as const)
      t.ok(nodeInfo?.[field], field);
    t.match(await stand.kubectl('describe', 'node', NODE), /ClockUntrusted +False/);
  });

  await t.test('is not told anew because pods come and go', async (t) => {
    await stand.apply(podOf('first', { main: { image: appImage(1, OWN) } }));
    await pods.ready('first');
    const before = (await node()).metadata?.resourceVersion;
    await stand.kubectl('delete', 'pod', 'first', '--now');
    await stand.apply(podOf('second', { main: { image: appImage(1, OWN) } }));
    await pods.ready('second');
    t.equal((await node()).metadata?.resourceVersion, before);
  });
});
