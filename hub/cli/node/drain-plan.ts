import { isMirror } from '../../resources/mirror-pod.ts';
import { controllerOf } from '../../resources/object.ts';
import type { PodObject } from '../../resources/typed.ts';

export interface DrainOptions {
  readonly force: boolean;
  readonly deleteEmptyDirData: boolean;
}

export interface DrainPlan {
  readonly evict: readonly PodObject[];
  readonly warnings: readonly string[];
  /** Why it must not begin. */
  readonly refusals: readonly string[];
}

const nameOf = ({ metadata }: PodObject) => `${metadata.namespace}/${metadata.name}`;
const isFinished = ({ status }: PodObject) => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Which pods go when a node is drained: what `kubectl drain --ignore-daemonsets` would take. Pure. */
export function planDrain(
  pods: readonly PodObject[],
  { force, deleteEmptyDirData }: DrainOptions,
): DrainPlan {
  const mine = pods.filter((pod) => !isMirror(pod));
  // It would be made again at once: DaemonSets do not ask whether a node is cordoned.
  const isDaemon = (pod: PodObject) => controllerOf(pod)?.kind === 'DaemonSet';
  const daemons = mine.filter(isDaemon);
  const evict = mine.filter((pod) => !isDaemon(pod) && !pod.metadata.deletionTimestamp);
  const leaving = mine.filter((pod) => !isDaemon(pod) && pod.metadata.deletionTimestamp);
  const unmanaged = evict.filter((pod) => !controllerOf(pod) && !isFinished(pod));
  const withData = evict.filter(
    (pod) => !isFinished(pod) && pod.spec.volumes?.some(({ emptyDir }) => emptyDir !== undefined),
  );
  const all = (list: readonly PodObject[]) => list.map(nameOf).join(', ');
  const told = (list: readonly PodObject[], text: string) =>
    list.length > 0 ? [`${text}: ${all(list)}`] : [];
  return {
    evict: [...evict, ...leaving],
    warnings: [
      ...told(daemons, 'pods of DaemonSets stay'),
      ...(force ? told(unmanaged, 'pods that no controller makes again go') : []),
      ...(deleteEmptyDirData ? told(withData, 'the data of emptyDir volumes is lost') : []),
    ],
    refusals: [
      ...(force ? [] : told(unmanaged, 'no controller makes these pods again (--force)')),
      ...(deleteEmptyDirData
        ? []
        : told(withData, 'these pods have emptyDir volumes (--delete-emptydir-data)')),
    ],
  };
}
