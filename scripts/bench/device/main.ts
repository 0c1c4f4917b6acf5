import type { Subject } from '../bench.ts';
import { idle } from '../idle.ts';
import { cycles } from './cycles.ts';
import { pods } from './pods.ts';
import { probes } from './probes.ts';
import { together } from './together.ts';
import { writes } from './writes.ts';

/** What an agent takes from its device, and leaves on it. Probes come last: Podman keeps processes for minutes after each command. */
export const DEVICE_SUBJECTS: readonly Subject[] = [idle, writes, pods, cycles, probes];
/** With an engine that the benchmark has started for itself alone. They come first: an engine keeps memory that it needed once. */
export const PODMAN_SUBJECTS: readonly Subject[] = [together];
