import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Subject } from '../bench.ts';
import { deploy, newName } from '../deployment.ts';
import type { Measurement, Unit } from '../result.ts';
import type { Stand } from '../stand.ts';

const PODS = 5;
const MINUTE_MS = 60_000;

interface Written {
  readonly bytesPerMinute: number;
  readonly files: number;
}

/**
 * What an agent with 5 pods writes while nothing happens. The kernel counts what reaches a disk; what it counts of calls
 * (`wchar`) has the link's messages in it, and can not be told apart, so files that have changed are looked for instead:
 * that finds what is on a tmpfs too.
 */
export const writes: Subject = {
  name: 'writes',
  measure: async (bench) => {
    const stands = await Promise.all(bench.transports.map((transport) => bench.newStand(transport)));
    for (const stand of stands) await deploy(stand, newName(), PODS);
    await setTimeout(bench.isQuick ? 5_000 : 15_000);
    const durationMs = bench.isQuick ? MINUTE_MS / 2 : 2 * MINUTE_MS;
    const written = stands.map((): Written[] => []);
    for (let turn = 0; turn < bench.repetitions(3, 1); turn += 1) {
      const each = await Promise.all(stands.map((stand) => observe(stand, durationMs)));
      for (const [index, one] of each.entries()) written[index]?.push(one);
    }
    await Promise.all(stands.map((stand) => stand.close()));
    return stands.flatMap(({ transport }, index) => rows(transport, written[index] ?? []));
  },
};

/** From a random phase of the minute: what is written once a minute must not be missed each time. */
async function observe({ agent, dataDir, runDir }: Stand, durationMs: number): Promise<Written> {
  await setTimeout((Math.random() * durationMs) / 2);
  const look = () => new Map([...changesBelow(dataDir), ...changesBelow(runDir)]);
  const before = { bytes: agent.writtenBytes(), files: look() };
  await setTimeout(durationMs);
  const after = { bytes: agent.writtenBytes(), files: look() };
  const paths = new Set([...before.files.keys(), ...after.files.keys()]);
  const changed = [...paths].filter((path) => before.files.get(path) !== after.files.get(path));
  if (changed.length > 0) console.log(`writes: changed while nothing happened: ${changed.join(', ')}`);
  return {
    bytesPerMinute: ((after.bytes - before.bytes) * MINUTE_MS) / durationMs,
    files: changed.length,
  };
}

/** When each file and directory was changed last, and how large it is. */
function changesBelow(dir: string): Map<string, string> {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return new Map(
    [dir, ...names.map((name) => join(dir, name))].map((path) => {
      const { size, mtimeNs, ctimeNs } = lstatSync(path, { bigint: true });
      return [path, `${size} ${mtimeNs} ${ctimeNs}`];
    }),
  );
}

function rows(variant: string, written: readonly Written[]): Measurement[] {
  const name = 'agent, connected, 5 pods, idle';
  const row = (what: string, unit: Unit, field: keyof Written): Measurement => ({
    ...{ name: `${name}: ${what}`, variant, unit, floor: [], goal: { type: 'value', most: 0 } },
    samples: written.map((one) => one[field]),
  });
  return [
    row('written to disk in a minute', 'B', 'bytesPerMinute'),
    row('files of its own that changed', '', 'files'),
  ];
}
