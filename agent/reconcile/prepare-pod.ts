import { ConfigurationError } from '../pod/configuration-error.ts';
import { type GuardRails, mayHaveDevice, mayMount } from '../pod/guard-rails.ts';
import { realPathOf } from '../pod/real-path.ts';
import { releaseLeft } from '../pod/sub-path.ts';
import { makeVolumes } from '../pod/volume-files.ts';
import { subPathsDirectory } from '../pod/volumes.ts';
import type { ActionContext, Execution } from './execution.ts';

/** Makes what the pod's containers will be given: its volumes, as they are wanted now. */
export async function preparePod(execution: Execution, { pod, memory }: ActionContext): Promise<void> {
  if (!pod) return;
  const prepared = memory.preparing();
  await releaseSubPaths(execution, pod.metadata.uid);
  const { desired: configuration, roots, allocatable } = execution;
  const volumeOf = (namespace: string, claim: string) => configuration.volumeOf(namespace, claim);
  const { values: tokens, problem: tokenProblem } = await execution.tokens.of(pod);
  const placement = { allocatable: allocatable() };
  await makeVolumes(
    pod,
    { configuration, roots, volumeOf, placement, tokens, tokenProblem },
    (path, kind) => refusePath(path, kind, execution.rails()),
    (image) => execution.runtime.imageLayers(image),
  );
  prepared();
}

/** Parts of volumes that an agent before this one was cut off from. */
export function releaseSubPaths({ containers, roots }: Execution, uid: string): Promise<void> {
  const made = containers.ofPod(uid).filter(({ state }) => state === 'created');
  return releaseLeft(subPathsDirectory(uid, roots), made);
}

/** Somebody may have put a link where the owner lets pods write, to where it does not. */
async function refusePath(path: string, kind: string, rails: GuardRails): Promise<void> {
  if (!rails.allowedHostPaths && !rails.allowedDevices) return;
  const real = await realPathOf(path); // before it is made: nothing is made elsewhere
  const where = real === path ? path : `${path} leads to ${real}, which`;
  const refusal = 'the owner of this device does not allow';
  if (![path, real].every((each) => mayMount(each, rails)))
    throw new ConfigurationError(`${where} ${refusal} (allowedHostPaths)`);
  if (!mayHaveDevice(real, kind, rails)) throw new ConfigurationError(`${where} ${refusal} (allowedDevices)`);
}
