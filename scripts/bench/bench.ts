import type { DebianPodman } from '../debian-podman.ts';
import type { RawEngine } from './raw-engine.ts';
import type { Measurement } from './result.ts';
import type { Stand, Transport } from './stand.ts';
import { inTurns, type Try } from './turns.ts';

/** What the subjects of the benchmark share. */
export interface Bench {
  readonly engine: RawEngine;
  /** The engine, where it is one that was started for the benchmark. */
  readonly podman: DebianPodman | undefined;
  readonly transports: readonly Transport[];
  readonly isQuick: boolean;
  /** How often to repeat: what the user says, or one of these. */
  readonly repetitions: (full: number, quick: number) => number;
  /** One for each transport, warm, for subjects that leave them as they were. */
  readonly stands: () => Promise<readonly Stand[]>;
  readonly newStand: (transport: Transport) => Promise<Stand>;
}

/** One file each; the name is what `--only` takes. */
export interface Subject {
  readonly name: string;
  readonly measure: (bench: Bench) => Promise<Measurement[]>;
}

/** Measures a duration on each stand, and the floor, in turns. */
export async function againstFloor(
  stands: readonly Stand[],
  repeat: number,
  floor: Try,
  tries: (stand: Stand) => Try,
  { name, goal }: Pick<Measurement, 'name' | 'goal'>,
): Promise<Measurement[]> {
  const each = Object.fromEntries(stands.map((stand) => [stand.transport, tries(stand)]));
  const samples = await inTurns(repeat, { floor, ...each });
  return stands.map(({ transport }) => ({
    name,
    variant: transport,
    unit: 'ms',
    samples: samples[transport as keyof typeof samples],
    floor: samples.floor,
    goal,
  }));
}
