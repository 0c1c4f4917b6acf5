import { againstFloor, type Subject } from './bench.ts';
import { COMMAND, deploy, IMAGES, newName, undeploy } from './deployment.ts';
import type { RawEngine } from './raw-engine.ts';
import type { Stand } from './stand.ts';
import { timed } from './turns.ts';

/** From the KILL of a container to its pod's status saying that it runs again. Each time a fresh pod: no back-off. */
export const selfHeal: Subject = {
  name: 'self-heal',
  measure: async (bench) =>
    againstFloor(
      await bench.stands(),
      bench.repetitions(8, 3),
      () => startContainer(bench.engine),
      (stand) => () => killContainer(stand, bench.engine),
      { name: 'container killed -> running again, first time', goal: { type: 'ratio', most: 1.5 } },
    ),
};

async function startContainer(engine: RawEngine): Promise<number> {
  const id = await engine.create(IMAGES[0], COMMAND);
  const ms = await timed(() => engine.start(id));
  await engine.remove(id);
  return ms;
}

async function killContainer(stand: Stand, engine: RawEngine): Promise<number> {
  const name = newName();
  await deploy(stand, name, 1);
  const id = stand.pods.of(name)[0]?.status?.containerStatuses?.[0]?.containerID?.replace('docker://', '');
  if (!id) throw new Error(`pod of "${name}" runs and names no container`);
  const startMs = performance.now();
  const killed = engine.kill(id);
  const again = stand.pods.until(name, 'runs again', ([pod]) => {
    const container = pod?.status?.containerStatuses?.[0];
    return container?.restartCount === 1 && container.state?.running !== undefined;
  });
  const [endMs] = await Promise.all([again, killed]);
  await undeploy(stand, name);
  return endMs - startMs;
}
