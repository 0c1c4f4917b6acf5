import type { Subject } from '../bench.ts';
import { idle } from '../idle.ts';
import { cycles } from './cycles.ts';
import { pods } from './pods.ts';
import { probes } from './probes.ts';
import { together } from './together.ts';
import { writes } from './writes.ts';

/** What an agent takes from its device, and leaves on it. */
export const DEVICE_SUBJECTS: readonly Subject[] = [idle, writes, probes, pods, cycles];
/** With an engine that the benchmark has started for itself alone. */
export const PODMAN_SUBJECTS: readonly Subject[] = [together];
