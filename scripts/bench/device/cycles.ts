import { setTimeout } from 'node:timers/promises';
import type { Bench, Subject } from '../bench.ts';
import { CONTAINER, newName } from '../deployment.ts';
import { isReady, PODS } from '../pod-watch.ts';
import type { Measurement } from '../result.ts';
import type { Stand } from '../stand.ts';
import { atOnce } from '../turns.ts';
import { GRACE_SECONDS, GRACEFUL_COMMAND } from './graceful.ts';
import { KINDS, keptBy, moreThan } from './leftovers.ts';

const AT_ONCE = 5;
/** After so many, the agent has loaded and made what it keeps. */
const FIRST = 20;
/** How often it is told how it goes. */
const BATCH = 80;
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const MOST_TOLD = 10;

/** What is left of pods that came and went. */
export const cycles: Subject = {
  name: 'cycles',
  measure: async (bench) => {
    const count = bench.isQuick ? 100 : 500;
    const measured: Measurement[] = [];
    for (const transport of bench.transports) {
      const stand = await bench.newStand(transport);
      measured.push(...(await measureOn(stand, bench, count)));
      await stand.close();
    }
    return measured;
  },
};

async function measureOn(stand: Stand, bench: Bench, count: number): Promise<Measurement[]> {
  const look = async () => {
    await setTimeout(bench.isQuick ? 8_000 : 20_000); // an agent gives memory back after a while
    return { memory: stand.agent.memory(), kept: await keptBy(stand, bench.engine) };
  };
  await run(stand, FIRST);
  const before = await look();
  for (let done = FIRST; done < count; done += BATCH) {
    await run(stand, Math.min(BATCH, count - done));
    const { rssMib, anonymousMib } = stand.agent.memory();
    const memory = `RSS ${rssMib.toFixed(1)} MiB, anonymous ${anonymousMib.toFixed(1)} MiB`;
    console.log(
      `cycles, ${stand.transport}: ${Math.min(done + BATCH, count)} of ${count}, the agent has ${memory}`,
    );
  }
  const after = await look();
  const row = (what: string, sample: number) =>
    ({
      name: `after ${count} pods: ${what}`,
      variant: stand.transport,
      samples: [sample],
      floor: [],
    }) as const;
  const growthMib = after.memory.rssMib - before.memory.rssMib;
  return [
    {
      ...row(`the agent's RSS, more than after ${FIRST}`, growthMib),
      ...{ unit: 'MiB', goal: { type: 'value', most: 5 } },
    },
    ...Object.entries(KINDS).map(([kind, name]): Measurement => {
      const left = moreThan(before.kept[kind as keyof typeof KINDS], after.kept[kind as keyof typeof KINDS]);
      if (left.length > 0) console.log(`cycles, ${stand.transport}: ${name} left: ${told(left)}`);
      return { ...row(`${name} left`, left.length), unit: '', goal: { type: 'value', most: 0 } };
    }),
  ];
}

function told(names: readonly string[]): string {
  const more = names.length - MOST_TOLD;
  return `${names.slice(0, MOST_TOLD).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function run(stand: Stand, count: number): Promise<void> {
  return atOnce(AT_ONCE, Array.from({ length: count }, newName), (name) => cycle(stand, name));
}

/** A pod with volumes, a ConfigMap and a probe: made, ready, and gone. */
async function cycle({ api, pods }: Stand, name: string): Promise<void> {
  const metadata = { name, namespace: 'default', labels: { app: name } };
  const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { key: 'value' } };
  await api.call('POST', CONFIG_MAPS, configMap);
  await api.call('POST', PODS, { apiVersion: 'v1', kind: 'Pod', metadata, spec: specWith(name) });
  await pods.until(name, 'is ready', (all) => all.length === 1 && all.every(isReady));
  await api.call('DELETE', `${PODS}/${name}`);
  await pods.until(name, 'is gone', (all) => all.length === 0);
  await api.call('DELETE', `${CONFIG_MAPS}/${name}`);
}

function specWith(configMap: string) {
  return {
    terminationGracePeriodSeconds: GRACE_SECONDS,
    containers: [
      {
        ...CONTAINER,
        command: GRACEFUL_COMMAND,
        env: [{ name: 'KEY', valueFrom: { configMapKeyRef: { name: configMap, key: 'key' } } }],
        volumeMounts: [
          { name: 'work', mountPath: '/work' },
          { name: 'configuration', mountPath: '/configuration' },
          { name: 'configuration', mountPath: '/key', subPath: 'key' },
        ],
        readinessProbe: { exec: { command: ['cat', '/configuration/key'] }, periodSeconds: 1 },
      },
    ],
    volumes: [
      { name: 'work', emptyDir: {} },
      { name: 'configuration', configMap: { name: configMap } },
    ],
  };
}
