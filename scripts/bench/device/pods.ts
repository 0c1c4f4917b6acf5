import type { Bench, Subject } from '../bench.ts';
import { DEPLOYMENTS, deployment, newName, running, undeploy } from '../deployment.ts';
import { endContainers, startContainers } from '../floor-containers.ts';
import type { RawEngine } from '../raw-engine.ts';
import { type Goal, type Measurement, medianOf } from '../result.ts';
import type { Stand, Transport } from '../stand.ts';
import { inTurns, timed } from '../turns.ts';
import { GRACE_SECONDS, GRACEFUL_COMMAND } from './graceful.ts';

/** A node takes 110. */
const [FEW, MANY] = [10, 100];

const GRACEFUL = {
  container: { command: GRACEFUL_COMMAND },
  pod: { terminationGracePeriodSeconds: GRACE_SECONDS },
};

/** How long it took until all ran, and until all were gone. */
interface Life {
  readonly createMs: number;
  readonly removeMs: number;
}

type Lives = Readonly<Record<Transport | 'floor', readonly Life[]>>;

/** Pods of one Deployment, beside as many containers by the engine's own calls: few, and ten times as many. */
export const pods: Subject = {
  name: 'pods',
  measure: async (bench) => {
    const stands = await bench.stands();
    const few = await livesOf(bench, stands, FEW, bench.repetitions(5, 2));
    const many = await livesOf(bench, stands, MANY, bench.repetitions(3, 1));
    return stands.flatMap(({ transport }) => [
      duration(few, FEW, transport, 'createMs', { type: 'ratio', most: 1.3 }),
      duration(many, MANY, transport, 'createMs', undefined),
      growth(few, many, transport, 'createMs'),
      duration(few, FEW, transport, 'removeMs', { type: 'ratio', most: 1.3 }),
      duration(many, MANY, transport, 'removeMs', undefined),
      growth(few, many, transport, 'removeMs'),
    ]);
  },
};

async function livesOf(
  { engine }: Bench,
  stands: readonly Stand[],
  count: number,
  repeat: number,
): Promise<Lives> {
  const tries = stands.map((stand) => [stand.transport, () => lifeOfPods(stand, count)] as const);
  return inTurns<Transport | 'floor', Life>(repeat, {
    floor: () => lifeOfContainers(engine, count),
    ...(Object.fromEntries(tries) as Record<Transport, () => Promise<Life>>),
  });
}

async function lifeOfContainers(engine: RawEngine, count: number): Promise<Life> {
  const ids: string[] = [];
  const createMs = await timed(() => startContainers(engine, count, ids, GRACEFUL_COMMAND));
  return { createMs, removeMs: await timed(() => endContainers(engine, ids, GRACE_SECONDS)) };
}

async function lifeOfPods(stand: Stand, count: number): Promise<Life> {
  const name = newName();
  const startMs = performance.now();
  const created = stand.api.call('POST', DEPLOYMENTS, deployment(name, count, GRACEFUL));
  const [runningMs] = await Promise.all([running(stand, name, count), created]);
  const deleteMs = performance.now();
  return { createMs: runningMs - startMs, removeMs: (await undeploy(stand, name)) - deleteMs };
}

const WORDS = {
  createMs: { done: 'POST Deployment -> all Running', noun: 'all Running' },
  removeMs: { done: 'DELETE Deployment -> all gone', noun: 'all gone' },
} as const satisfies Record<keyof Life, object>;

function duration(
  lives: Lives,
  count: number,
  variant: Transport,
  field: keyof Life,
  goal: Goal | undefined,
): Measurement {
  const of = (some: readonly Life[]) => some.map((life) => life[field]);
  const name = `${count} pods, ${WORDS[field].done}`;
  return { name, variant, unit: 'ms', samples: of(lives[variant]), floor: of(lives.floor), goal };
}

/** How many times as long ten times as many took: the engine itself is slower with more containers. */
function growth(few: Lives, many: Lives, variant: Transport, field: keyof Life): Measurement {
  const of = (who: Transport | 'floor') => {
    const unitMs = medianOf(few[who].map((life) => life[field]));
    return many[who].map((life) => life[field] / unitMs);
  };
  return {
    name: `${MANY} pods as a multiple of ${FEW}, ${WORDS[field].noun}`,
    ...{ variant, unit: 'x', samples: of(variant), floor: of('floor'), goal: { type: 'ratio', most: 1.15 } },
  };
}
