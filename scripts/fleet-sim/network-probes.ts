import { fromBinary } from '@bufbuild/protobuf';
import type { Pod } from '../../agent/pod/pod.ts';
import { type SignedSnapshot, SnapshotSchema } from '../../proto/gen/holdfast/v1/link_pb.ts';
import { podUpdateOf } from '../../proto/pod-update.ts';
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
  return new Map([
    ...pods.flatMap(checkOf),
    ...pods.flatMap(({ metadata, spec }) =>
      spec.containers.flatMap((container) =>
        PROBES.flatMap((probe) =>
          HANDLERS.filter((handler) => container[probe]?.[handler]).map((handler): [string, string] => [
            `${metadata.uid}/${container.name}`,
            `simulated containers answer exec probes only: its ${probe} has ${handler}`,
          ]),
        ),
      ),
    ),
  ]);
}

/** The check that a rollout's policy asks for. */
function checkOf(pod: Pod): [string, string][] {
  const check = podUpdateOf(pod)?.check;
  const container = check?.container ?? pod.spec.containers[0]?.name;
  if (!check?.httpGet) return [];
  return [
    [
      `${pod.metadata.uid}/${container}`,
      'simulated containers answer exec checks only: the check of its rollout has httpGet',
    ],
  ];
}
