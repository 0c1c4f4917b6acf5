import type { Registry } from '../../registry/registry.ts';
import { controllerOf, type KubeObject } from '../../resources/object.ts';
import { controllerRevisions, daemonSets, pods } from '../../resources/table-of-resources.ts';
import type { ControllerRevisionObject, DaemonSetObject, PodObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import { daemonPod, templateOf } from '../daemon-set/daemon-pod.ts';
import { placementOn } from '../daemon-set/placement.ts';
import { hashOf, REVISION_HASH, revisionData } from '../daemon-set/revisions.ts';
import { podChanges } from './pod-changes.ts';
import type { PodWorkloadKind, Version, Workload } from './workload.ts';

/** DaemonSets: a device is a node that the set matches, with one pod; ControllerRevisions keep the history. */
export const daemonSetWorkloads: PodWorkloadKind = {
  resource: daemonSets,
  revisions: controllerRevisions,
  workloadOf: (registry, object) => {
    const owner = controllerOf(object);
    if (owner?.kind !== daemonSets.kind) return undefined;
    return registry.get(daemonSets, object.metadata.namespace, owner.name) as Workload | undefined;
  },
  history,
  current: (registry, set) => {
    const records = recordsOf(registry, set);
    const data = revisionData(set as DaemonSetObject);
    const newest = Math.max(0, ...records.map(({ revision }) => revision));
    const current = records.find((each) => sameJson(each.data, data));
    return current && current.revision >= newest ? versionOf(current) : undefined;
  },
  pods: (registry, set) =>
    registry.byIndex(pods, 'controller', set.metadata.uid ?? '') as readonly PodObject[],
  hashOf: ({ metadata }) => metadata.labels?.[REVISION_HASH],
  runsOn: (set, node) => placementOn(set as DaemonSetObject, node).shouldRun,
  isConcerned: (_registry, set, node) => placementOn(set as DaemonSetObject, node).shouldRun,
  ...podChanges({
    history,
    newPod: (_registry, set, { version: { template, hash }, node, annotations }) =>
      daemonPod(set as DaemonSetObject, { template, hash, nodeName: node, annotations }),
  }),
};

function history(registry: Registry, set: KubeObject): readonly Version[] {
  return recordsOf(registry, set).flatMap((record) => versionOf(record) ?? []);
}

function recordsOf(registry: Registry, set: KubeObject): readonly ControllerRevisionObject[] {
  const uid = set.metadata.uid ?? '';
  return registry.byIndex(controllerRevisions, 'controller', uid) as readonly ControllerRevisionObject[];
}

function versionOf(record: ControllerRevisionObject): Version | undefined {
  const template = templateOf(record);
  return template && { number: record.revision, hash: hashOf(record), template };
}
