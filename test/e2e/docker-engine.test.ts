import t from 'tap';
import { monotonicMs } from '../../agent/monotonic.ts';
import { DockerConnection } from '../../agent/runtime/docker-connection.ts';
import { observedOf } from '../../agent/runtime/docker-observed.ts';
import { labelsOf } from '../../agent/runtime/labels.ts';
import type { ContainerIdentity } from '../../agent/runtime/runtime.ts';
import { Engine } from '../support/engine.ts';
import { appImage, makeAppImages, WORK } from '../support/images.ts';
import { shell } from '../support/pods.ts';

/* What Docker tells wrong now and then, and the agent must not. Of Podman: podman-engine.test.ts */

const MIB = 1024 * 1024;
const NODE = `docker-engine-${process.pid}`;
const identity: ContainerIdentity = {
  role: 'container',
  ...{ podUid: 'u', podNamespace: 'default', podName: 'p', container: 'c', attempt: 0 },
  ...{ specHash: '', crashes: 0, graceSeconds: 1, infra: '', podSinceMs: 0, podIp: '', podDevices: '' },
};

t.test('who ended for want of memory, also where the engine has missed it', async (t) => {
  const engine = new Engine(process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock');
  t.teardown(() => engine.removeAllOf(NODE));
  await makeAppImages(engine, [1]);
  const start = async (script: string) => {
    const container = await engine.docker.createContainer({
      ...{ Image: appImage(1), Cmd: shell(script), Labels: labelsOf(NODE, identity) },
      HostConfig: { Memory: 16 * MIB, MemorySwap: 16 * MIB, NetworkMode: 'none' },
    });
    await container.start();
    return container;
  };
  const connection = new DockerConnection(engine.host);
  /** As when containerd tells of the end first, which happens on a busy machine. */
  const seenWithoutMark = async (container: Awaited<ReturnType<typeof start>>) => {
    await container.wait();
    const found = await container.inspect();
    return observedOf({ ...found, State: { ...found.State, OOMKilled: false } }, connection, monotonicMs);
  };
  const greedy = await start('x=$(dd if=/dev/zero bs=1M count=64 2>/dev/null | busybox tr "\\0" a)');
  t.match(await seenWithoutMark(greedy), { exitCode: 137, oomKilled: true });
  const killed = await start(WORK);
  await killed.kill();
  t.match(await seenWithoutMark(killed), { exitCode: 137, oomKilled: false });
});
