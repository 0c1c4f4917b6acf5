import { readHostResolver } from '../dns/host-resolver.ts';
import { resolverOf } from '../dns/resolver.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import type { Pod } from '../pod/pod.ts';
import type { Resolver } from '../runtime/runtime.ts';

/** What the pod looks names up with, with the device's own servers as they are now: on the road they change. */
export async function podResolver(pod: Pod, network: PodNetwork | undefined): Promise<Resolver | undefined> {
  const [address, host] = await Promise.all([network?.gateway(), readHostResolver()]);
  // Where only the device itself reaches its server, the engine knows better what to give to containers.
  return resolverOf(pod, host && address, host ?? { servers: [], search: [] });
}
