import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { againstFloor, type Subject } from './bench.ts';
import { COMMAND, DEPLOYMENTS, deploy, IMAGES, newName, undeploy } from './deployment.ts';
import { isRunning } from './pod-watch.ts';
import type { RawEngine } from './raw-engine.ts';
import type { Stand } from './stand.ts';
import { timed } from './turns.ts';

/** From the request that sets another image to the new pod Running and the old one gone. */
export const setImage: Subject = {
  name: 'set-image',
  measure: async (bench) =>
    againstFloor(
      await bench.stands(),
      bench.repetitions(7, 2),
      () => replaceContainer(bench.engine),
      (stand) => () => rollOut(stand),
      {
        name: 'set image, 1 replica, until the new runs and the old is gone',
        goal: { type: 'ratio', most: 2 },
      },
    ),
};

async function replaceContainer(engine: RawEngine): Promise<number> {
  const before = await engine.create(IMAGES[0], COMMAND);
  await engine.start(before);
  let after = '';
  const ms = await timed(async () => {
    after = await engine.create(IMAGES[1], COMMAND);
    await engine.start(after);
    await engine.remove(before);
  });
  await engine.remove(after);
  return ms;
}

async function rollOut(stand: Stand): Promise<number> {
  const name = newName();
  await deploy(stand, name, 1);
  const uid = stand.pods.of(name)[0]?.metadata?.uid;
  const isNewAlone = (pods: readonly Pod[]) =>
    pods.length === 1 && pods.every((pod) => pod.metadata?.uid !== uid && isRunning(pod));
  const patch = { spec: { template: { spec: { containers: [{ name: 'main', image: IMAGES[1] }] } } } };
  const startMs = performance.now();
  const patched = stand.api.call('PATCH', `${DEPLOYMENTS}/${name}`, patch);
  const [endMs] = await Promise.all([stand.pods.until(name, 'is replaced', isNewAlone), patched]);
  await undeploy(stand, name);
  return endMs - startMs;
}
