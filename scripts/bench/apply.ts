import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubectlPath } from '../kubectl.ts';
import { againstFloor, type Bench, type Subject } from './bench.ts';
import { DEPLOYMENTS, deployment, newName, running, undeploy } from './deployment.ts';
import { removeContainers, startContainers } from './floor-containers.ts';
import type { RawEngine } from './raw-engine.ts';
import type { Measurement } from './result.ts';
import type { Stand } from './stand.ts';
import { inTurns, timed } from './turns.ts';

/** From the request for a Deployment to its pods Running: by a client with an open watch, and by kubectl. */
export const applyOne: Subject = {
  name: 'apply',
  measure: async (bench) => {
    const stands = await bench.stands();
    const repeat = bench.repetitions(10, 3);
    const name = 'POST Deployment of 1 -> pod Running seen by a watch';
    const goal = { type: 'ratio', most: 1.6 } as const;
    const floor = () => floorOf(bench.engine, 1);
    const measured = await againstFloor(stands, repeat, floor, (stand) => () => apply(stand, 1), {
      name,
      goal,
    });
    const [stand] = stands;
    return stand ? [...measured, await withKubectl(stand, bench)] : measured;
  },
};

export const applyTen: Subject = {
  name: 'apply10',
  measure: async (bench) =>
    againstFloor(
      await bench.stands(),
      bench.repetitions(5, 2),
      () => floorOf(bench.engine, 10),
      (stand) => () => apply(stand, 10),
      { name: 'the same, 10 replicas', goal: { type: 'ratio', most: 1.2 } },
    ),
};

async function floorOf(engine: RawEngine, count: number): Promise<number> {
  const ids: string[] = [];
  const ms = await timed(() => startContainers(engine, count, ids));
  await removeContainers(engine, ids);
  return ms;
}

async function apply(stand: Stand, replicas: number): Promise<number> {
  const name = newName();
  const startMs = performance.now();
  const created = stand.api.call('POST', DEPLOYMENTS, deployment(name, replicas));
  const [endMs] = await Promise.all([running(stand, name, replicas), created]);
  await undeploy(stand, name);
  return endMs - startMs;
}

/** The process of kubectl included: for information, for its own start says nothing of the hub. */
async function withKubectl(stand: Stand, bench: Bench): Promise<Measurement> {
  const kubectl = await kubectlPath();
  const { floor, kubectl: samples } = await inTurns(bench.repetitions(6, 2), {
    floor: () => floorOf(bench.engine, 1),
    kubectl: () => applyWith(kubectl, stand),
  });
  return {
    name: 'the same, real kubectl apply, its process included',
    variant: stand.transport,
    unit: 'ms',
    samples,
    floor,
    goal: undefined,
  };
}

async function applyWith(kubectl: string, stand: Stand): Promise<number> {
  const name = newName();
  const file = join(stand.dir, 'deployment.json');
  writeFileSync(file, JSON.stringify(deployment(name, 1)));
  const place = [`--kubeconfig=${stand.kubeconfig}`, `--cache-dir=${join(stand.dir, 'kubectl-cache')}`];
  const startMs = performance.now();
  const child = spawn(kubectl, ['apply', '-f', file, ...place], { stdio: ['ignore', 'ignore', 'inherit'] });
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`kubectl apply ended with ${code}`));
    });
  });
  const [endMs] = await Promise.all([running(stand, name, 1), exited]);
  await undeploy(stand, name);
  return endMs - startMs;
}
