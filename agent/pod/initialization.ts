import type { ObservedContainer } from '../runtime/runtime.ts';
import { attemptsOf, infraOf, type PodInput } from './observation.ts';
import { type Container, isSidecar, type Pod } from './pod.ts';

/*
 * How far a pod's init containers are: https://kubernetes.io/docs/concepts/workloads/pods/init-containers/
 * What they have done holds for as long as the pod's infra container: another one begins from nothing.
 */

/** The init container whose turn it is; undefined when all have done their work. */
export function currentInit(
  { containers, health }: Pick<PodInput, 'containers' | 'health'>,
  pod: Pod,
): Container | undefined {
  const inits = pod.spec.initContainers ?? [];
  const known = ofThisInfra(containers);
  if (pod.spec.containers.some(({ name }) => attemptsOf(known, name).length > 0)) return undefined;
  // Who came later began after them: so it is known of those whose containers somebody has removed.
  const latest = inits.findLastIndex(({ name }) => attemptsOf(known, name).length > 0);
  return inits.find(({ name }, index) => {
    const [newest] = attemptsOf(known, name);
    if (!newest) return index >= latest || isSidecar(pod, name);
    if (isSidecar(pod, name)) return newest.state !== 'running' || !health(newest.id).started;
    return newest.state !== 'exited' || newest.exitCode !== 0;
  });
}

/** Names of the init containers that have not done their work yet. */
export function incompleteInits(input: Pick<PodInput, 'containers' | 'health'>, pod: Pod): string[] {
  const inits = pod.spec.initContainers ?? [];
  const current = currentInit(input, pod);
  return current ? inits.slice(inits.indexOf(current)).map(({ name }) => name) : [];
}

function ofThisInfra(containers: readonly ObservedContainer[]): ObservedContainer[] {
  const infra = infraOf(containers)?.id;
  return containers.filter((container) => container.infra === infra);
}
