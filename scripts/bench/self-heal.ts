import type { Subject } from './bench.ts';
import { COMMAND, deploy, IMAGES, newName, undeploy } from './deployment.ts';
import type { RawEngine } from './raw-engine.ts';
import type { Stand } from './stand.ts';
import { inTurns, timed } from './turns.ts';

const NAME = 'container killed -> running again, first time';

/**
 * From the KILL of a container to its pod's status saying that it runs again. Each time a fresh pod: no back-off. The
 * engine doing the same alone, with its new container made beforehand, stands beside it: nobody gets below that.
 */
export const selfHeal: Subject = {
  name: 'self-heal',
  measure: async ({ engine, stands, repetitions }) => {
    const all = await stands();
    const each = Object.fromEntries(
      all.map((stand) => [stand.transport, () => killContainer(stand, engine)]),
    );
    const { floor, alone, ...samples } = await inTurns(repetitions(8, 3), {
      floor: () => startContainer(engine),
      alone: () => replaceContainer(engine),
      ...each,
    });
    const row = { name: NAME, unit: 'ms', floor } as const;
    return [
      { ...row, variant: 'engine alone', samples: alone, goal: undefined },
      ...all.map(({ transport }) => ({
        ...row,
        variant: transport,
        samples: (samples as Record<string, number[]>)[transport] ?? [],
        goal: { type: 'ratio', most: 1.5 } as const,
      })),
    ];
  },
};

async function startContainer(engine: RawEngine): Promise<number> {
  const id = await engine.create(IMAGES[0], COMMAND);
  const ms = await timed(() => engine.start(id));
  await engine.remove(id);
  return ms;
}

/** What the engine needs from the KILL of a container until another one runs, started when the first has quite gone. */
async function replaceContainer(engine: RawEngine): Promise<number> {
  const [first, second] = [await engine.create(IMAGES[0], COMMAND), await engine.create(IMAGES[0], COMMAND)];
  await engine.start(first);
  const ms = await timed(async () => {
    const ended = engine.wait(first);
    await engine.kill(first);
    await ended;
    await engine.startedAt(first); // answered when its network is taken down
    await engine.start(second);
  });
  await Promise.all([engine.remove(first), engine.remove(second)]);
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
