import { configMaps } from './config-map.ts';
import { controllerRevisions } from './controller-revision.ts';
import { daemonSets } from './daemon-set.ts';
import type { ResourceDefinition } from './definition.ts';
import { deployments } from './deployment.ts';
import { events } from './event.ts';
import { leases } from './lease.ts';
import { namespaces } from './namespace.ts';
import { nodes } from './node.ts';
import { pods } from './pod.ts';
import { replicaSets } from './replica-set.ts';
import { secrets } from './secret.ts';
import { serviceAccounts } from './service-account.ts';

export {
  configMaps,
  controllerRevisions,
  daemonSets,
  deployments,
  events,
  leases,
  namespaces,
  nodes,
  pods,
  replicaSets,
  secrets,
  serviceAccounts,
};

/** Every kind that the hub serves. The order of the groups decides who wins an ambiguous short name. */
export const resources: readonly ResourceDefinition[] = [
  configMaps,
  events,
  namespaces,
  nodes,
  pods,
  secrets,
  serviceAccounts,
  controllerRevisions,
  daemonSets,
  deployments,
  replicaSets,
  leases,
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
