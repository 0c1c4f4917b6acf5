import type { EndpointAddress, EndpointSubset } from 'kubernetes-types/core/v1.d.ts';
import type { Endpoint } from 'kubernetes-types/discovery/v1.d.ts';
import type { EndpointGroup } from './endpoint-slice-plan.ts';

/** What an Endpoints object holds at most, and says so when there are more. */
const MAX_ADDRESSES = 1000;
const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity';

/** For who still reads the older kind: one object with the addresses of one family; pods that end are not told there. */
export function endpointsOf(
  groups: readonly EndpointGroup[],
  family: string,
): { subsets: EndpointSubset[]; annotations: Record<string, string> } {
  let room = MAX_ADDRESSES;
  const take = (endpoints: readonly Endpoint[]) => {
    const taken = endpoints.slice(0, room).map(addressOf).sort(byAddress);
    room -= taken.length;
    return taken;
  };
  const told = groups
    .filter(({ addressType }) => addressType === family)
    .map(({ ports, endpoints }) => {
      const all = [...endpoints.values()];
      const ready = all.filter(({ conditions }) => conditions?.ready);
      const notReady = all.filter(({ conditions }) => !conditions?.ready && !conditions?.terminating);
      return { ports, ready, notReady };
    });
  const count = told.reduce((sum, { ready, notReady }) => sum + ready.length + notReady.length, 0);
  const subsets = told.flatMap(({ ports, ready, notReady }): EndpointSubset[] => {
    const [addresses, notReadyAddresses] = [take(ready), take(notReady)];
    if (addresses.length + notReadyAddresses.length === 0) return [];
    return [
      {
        ...(addresses.length > 0 && { addresses }),
        ...(notReadyAddresses.length > 0 && { notReadyAddresses }),
        ...(ports.length > 0 && {
          ports: ports.map(({ name, port = 0, ...rest }) => ({ ...(name && { name }), port, ...rest })),
        }),
      },
    ];
  });
  return { subsets, annotations: count > MAX_ADDRESSES ? { [OVER_CAPACITY]: 'truncated' } : {} };
}

function addressOf({ addresses, hostname, nodeName, targetRef }: Endpoint): EndpointAddress {
  return {
    ip: addresses[0] ?? '',
    ...(hostname && { hostname }),
    ...(nodeName && { nodeName }),
    ...(targetRef && { targetRef }),
  };
}

function byAddress(a: EndpointAddress, b: EndpointAddress): number {
  return a.ip < b.ip ? -1 : a.ip > b.ip ? 1 : 0;
}
