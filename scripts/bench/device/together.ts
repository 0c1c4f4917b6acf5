import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { Subject } from '../bench.ts';
import { deploy, newName } from '../deployment.ts';
import type { Measurement } from '../result.ts';

const PODS = 5;
const KIB_PER_MIB = 1024;

/**
 * What a device gives for its pods in all: the agent and the engine, each with its program's file, for on a device nobody else
 * has these open; and beside them what the engine has for each container, of which PSS counts what is shared once.
 */
export const together: Subject = {
  name: 'together',
  measure: async ({ transports, newStand, podman, isQuick }) => {
    if (!podman) throw new Error('what all processes of an engine use is known of Podman only');
    const measured: Measurement[] = [];
    for (const transport of transports) {
      const stand = await newStand(transport); // one at a time: the engine is everybody's
      await deploy(stand, newName(), PODS);
      await stand.restartAgent();
      await setTimeout(isQuick ? 5_000 : 15_000);
      const watchers = podman.processes().filter((pid) => pid !== podman.pid);
      const row = (
        what: string,
        pids: readonly number[],
        kind: 'Rss' | 'Pss',
        most?: number,
      ): Measurement => ({
        ...{ variant: transport, unit: 'MiB', floor: [] },
        name: `engine and agent, ${PODS} pods, idle: ${what}`,
        samples: [memoryMib(pids, kind)],
        goal: most === undefined ? undefined : { type: 'value', most },
      });
      measured.push(
        row('RSS of both', [stand.agent.pid, podman.pid], 'Rss', 110),
        row("the engine's part", [podman.pid], 'Rss'),
        row(`besides, what watches ${watchers.length} containers: PSS`, watchers, 'Pss'),
      );
      await stand.close();
    }
    return measured;
  },
};

function memoryMib(pids: readonly number[], kind: 'Rss' | 'Pss'): number {
  const kib = pids.map((pid) => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(new RegExp(`^${kind}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]);
  });
  return kib.reduce((sum, one) => sum + one, 0) / KIB_PER_MIB;
}
