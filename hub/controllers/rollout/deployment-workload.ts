import { isCandidate } from '../../fleet/candidate.ts';
import type { Registry } from '../../registry/registry.ts';
import { controllerOf, type KubeObject } from '../../resources/object.ts';
import { deployments, pods, replicaSets } from '../../resources/table-of-resources.ts';
import type { DeploymentObject, PodObject, ReplicaSetObject } from '../../resources/typed.ts';
import { HASH_LABEL, revisionOf, sortGenerations } from '../deployment/replica-sets.ts';
import { controllerReference } from '../ownership.ts';
import { podFromTemplate } from '../pod-from-template.ts';
import { podChanges } from './pod-changes.ts';
import type { PodWorkloadKind, Version, Workload } from './workload.ts';

/**
 * Deployments: a device is a node that pods of it run on, be it one or several; ReplicaSets keep the history. Where pods
 * go is the scheduler's to say; a rollout changes them where they are.
 */
export const deploymentWorkloads: PodWorkloadKind = {
  resource: deployments,
  revisions: replicaSets,
  workloadOf: (registry, object) => {
    const owner = controllerOf(object);
    const { namespace } = object.metadata;
    if (owner?.kind === replicaSets.kind) {
      const set = registry.get(replicaSets, namespace, owner.name);
      return set && deploymentOf(registry, set);
    }
    return deploymentOf(registry, object);
  },
  history,
  current: (registry, deployment) => {
    const { current, old } = sortGenerations(deployment as DeploymentObject, setsOf(registry, deployment));
    const isNewest = current && old.every((set) => revisionOf(set) < revisionOf(current));
    return isNewest ? versionOf(current) : undefined;
  },
  pods: (registry, deployment) =>
    setsOf(registry, deployment).flatMap(
      ({ metadata: { uid = '' } }) => registry.byIndex(pods, 'controller', uid) as readonly PodObject[],
    ),
  hashOf: ({ metadata }) => metadata.labels?.[HASH_LABEL],
  runsOn: (_deployment, _node, there) => there.some((pod) => !isCandidate(pod)),
  isConcerned: (registry, deployment, node) =>
    registry
      .byIndex(pods, 'spec.nodeName', node.metadata.name ?? '')
      .some((pod) => deploymentWorkloads.workloadOf(registry, pod)?.metadata.uid === deployment.metadata.uid),
  ...podChanges({
    history,
    newPod: (registry, deployment, { version, node, annotations }) => {
      const set = setsOf(registry, deployment).find(
        ({ metadata }) => metadata.labels?.[HASH_LABEL] === version.hash,
      );
      if (!set?.spec.template) return undefined; // its history was cut short meanwhile
      const owner = { namespace: set.metadata.namespace, reference: controllerReference(replicaSets, set) };
      return podFromTemplate(set.spec.template, owner, { annotations, spec: { nodeName: node } });
    },
  }),
};

function history(registry: Registry, deployment: KubeObject): readonly Version[] {
  return setsOf(registry, deployment).flatMap((set) => versionOf(set) ?? []);
}

function deploymentOf(registry: Registry, object: KubeObject): Workload | undefined {
  const owner = controllerOf(object);
  if (owner?.kind !== deployments.kind) return undefined;
  return registry.get(deployments, object.metadata.namespace, owner.name) as Workload | undefined;
}

function setsOf(registry: Registry, deployment: KubeObject): readonly ReplicaSetObject[] {
  const uid = deployment.metadata.uid ?? '';
  return registry.byIndex(replicaSets, 'controller', uid) as readonly ReplicaSetObject[];
}

/** The template as the Deployment had it: its ReplicaSet adds a label. */
function versionOf(set: ReplicaSetObject): Version | undefined {
  const { template } = set.spec;
  const hash = set.metadata.labels?.[HASH_LABEL];
  if (!template || hash === undefined) return undefined;
  const { [HASH_LABEL]: _, ...labels } = template.metadata?.labels ?? {};
  const original = { ...template, metadata: { ...template.metadata, labels } };
  return { number: revisionOf(set), hash, template: original };
}
