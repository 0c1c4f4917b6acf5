import { fromBinary } from '@bufbuild/protobuf';
import type { Pod } from '../../agent/pod/pod.ts';
import { type SignedSnapshot, SnapshotSchema } from '../../proto/gen/holdfast/v1/link_pb.ts';
import { decodeObjects } from '../../proto/snapshot.ts';

const PROBES = ['startupProbe', 'livenessProbe', 'readinessProbe'] as const;
const HANDLERS = ['httpGet', 'tcpSocket'] as const;

/**
 * Why containers of a snapshot cannot be simulated, by pod's uid and container's name: their probes ask for an address,
 * and nothing listens there.
 */
export function networkProbes({ snapshot }: SignedSnapshot): Map<string, string> {
  const { objects } = fromBinary(SnapshotSchema, snapshot);
  const pods = decodeObjects<Pod>(objects).filter(({ kind }) => kind === 'Pod');
  return new Map(
    pods.flatMap(({ metadata, spec }) =>
      spec.containers.flatMap((container) =>
        PROBES.flatMap((probe) =>
          HANDLERS.filter((handler) => container[probe]?.[handler]).map((handler): [string, string] => [
            `${metadata.uid}/${container.name}`,
            `simulated containers answer exec probes only: its ${probe} has ${handler}`,
          ]),
        ),
      ),
    ),
  );
}
