import { infraSpec } from '../pod/container-spec.ts';
import { removeContainer } from './end-container.ts';
import type { ActionContext, Execution } from './execution.ts';
import { podResolver } from './pod-resolver.ts';

/** Makes and starts the container that a pod's network is in. */
export async function runInfra(
  execution: Execution,
  attempt: number,
  { pod, memory }: ActionContext,
): Promise<void> {
  if (!pod) return;
  const { network, runtime, starts } = execution;
  memory.lastAttempt.set('', attempt);
  const own = pod.spec.hostNetwork ? 'host' : 'own';
  const { network: joined, ip } = (await network?.namespaceFor(pod)) ?? { network: { type: own }, ip: '' };
  const details = {
    attempt,
    podSinceMs: memory.sinceMs,
    podDevices: execution.admission.grantsOf(pod.metadata.uid, '').podDevices,
    podIp: ip,
    network: joined,
    resolver: await podResolver(pod, network),
  };
  const image = await runtime.infraImage();
  const id = await starts.run(async () => {
    const id = await runtime.create(infraSpec(pod, image, details));
    try {
      await runtime.start(id);
    } catch (error) {
      await removeContainer(execution, id).catch(() => {}); // nobody tells of one that was only made
      throw error;
    }
    return id;
  });
  await connectInfra(execution, id, pod.metadata.uid); // which asks nothing of the engine that others could wait for
}

/** Joins the pod's network to the node's. Where that cannot be, the container goes, and the next has it from the engine. */
export async function connectInfra(execution: Execution, id: string, uid: string): Promise<void> {
  const { containers, network, connected, log } = execution;
  await containers.refresh(id);
  const infra = containers.get(id);
  if (infra?.state !== 'running') return;
  try {
    if (network && !(await network.isReady(infra))) await network.connect(infra);
    connected.add(id);
  } catch (error) {
    log.warn({ err: error, pod: uid }, 'a pod gets its network from the engine instead: that takes longer');
    await removeContainer(execution, id);
  }
}
