import { customResourceDefinitions } from '../custom-resources/custom-resource-definitions.ts';
import { agentReleases } from '../fleet/agent-release.ts';
import { deviceUpdates } from '../fleet/device-update.ts';
import { gitSources } from '../fleet/git-source.ts';
import { rollouts } from '../fleet/rollout.ts';
import { rolloutPolicies } from '../fleet/rollout-policy.ts';
import { certificateSigningRequests } from './certificate-signing-request.ts';
import { configMaps } from './config-map.ts';
import { controllerRevisions } from './controller-revision.ts';
import { cronJobs } from './cron-job.ts';
import { daemonSets } from './daemon-set.ts';
import type { ResourceDefinition } from './definition.ts';
import { deployments } from './deployment.ts';
import { endpointSlices } from './endpoint-slice.ts';
import { endpoints } from './endpoints.ts';
import { events } from './event.ts';
import { horizontalPodAutoscalers } from './horizontal-pod-autoscaler.ts';
import { ingresses } from './ingress.ts';
import { ingressClasses } from './ingress-class.ts';
import { jobs } from './job.ts';
import { leases } from './lease.ts';
import { limitRanges } from './limit-range.ts';
import { namespaces } from './namespace.ts';
import { networkPolicies } from './network-policy.ts';
import { nodes } from './node.ts';
import { persistentVolumes } from './persistent-volume.ts';
import { persistentVolumeClaims } from './persistent-volume-claim.ts';
import { pods } from './pod.ts';
import { podDisruptionBudgets } from './pod-disruption-budget.ts';
import { podTemplates } from './pod-template.ts';
import { priorityClasses } from './priority-class.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from './rbac.ts';
import { replicaSets } from './replica-set.ts';
import { replicationControllers } from './replication-controller.ts';
import { resourceQuotas } from './resource-quota.ts';
import { runtimeClasses } from './runtime-class.ts';
import { secrets } from './secret.ts';
import { services } from './service.ts';
import { serviceAccounts } from './service-account.ts';
import { statefulSets } from './stateful-set.ts';
import { storageClasses } from './storage-class.ts';
import {
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from './validating-admission-policy.ts';

export {
  certificateSigningRequests,
  clusterRoleBindings,
  clusterRoles,
  configMaps,
  controllerRevisions,
  cronJobs,
  customResourceDefinitions,
  daemonSets,
  deployments,
  deviceUpdates,
  endpointSlices,
  endpoints,
  events,
  horizontalPodAutoscalers,
  ingressClasses,
  ingresses,
  jobs,
  leases,
  limitRanges,
  namespaces,
  networkPolicies,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  podTemplates,
  priorityClasses,
  replicaSets,
  replicationControllers,
  resourceQuotas,
  roleBindings,
  roles,
  rolloutPolicies,
  rollouts,
  runtimeClasses,
  secrets,
  serviceAccounts,
  services,
  statefulSets,
  storageClasses,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
};

/** Every kind that the hub serves. The order of the groups decides who wins an ambiguous short name. */
export const resources: readonly ResourceDefinition[] = [
  configMaps,
  endpoints,
  events,
  limitRanges,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  podTemplates,
  replicationControllers,
  resourceQuotas,
  secrets,
  serviceAccounts,
  services,
  controllerRevisions,
  daemonSets,
  deployments,
  replicaSets,
  statefulSets,
  horizontalPodAutoscalers,
  cronJobs,
  jobs,
  certificateSigningRequests,
  ingressClasses,
  ingresses,
  networkPolicies,
  podDisruptionBudgets,
  clusterRoleBindings,
  clusterRoles,
  roleBindings,
  roles,
  storageClasses,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  customResourceDefinitions,
  priorityClasses,
  leases,
  runtimeClasses,
  endpointSlices,
  agentReleases,
  deviceUpdates,
  gitSources,
  rolloutPolicies,
  rollouts,
];

/** By what stands in a URL. */
export function resourceByPlural(
  definitions: readonly ResourceDefinition[],
  group: string,
  plural: string,
): ResourceDefinition | undefined {
  return definitions.find((each) => each.group === group && each.plural === plural);
}

/** By what stands in an object. */
export function resourceByKind(
  definitions: readonly ResourceDefinition[],
  group: string,
  kind: string,
): ResourceDefinition | undefined {
  return definitions.find((each) => each.group === group && each.kind === kind);
}
