import type {
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodSpec,
  Taint,
  Toleration,
} from 'kubernetes-types/core/v1.d.ts';
import { ownValue } from './object.ts';
import type { NodeObject } from './typed.ts';

/*
 * Which nodes a pod may be on, as far as the pod and the node alone decide it: for the scheduler and for DaemonSets.
 */

export type TaintEffect = 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';

function holds({ operator, values = [] }: NodeSelectorRequirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return isInteger(value) && isInteger(values[0]) && BigInt(value) > BigInt(values[0]);
    case 'Lt':
      return isInteger(value) && isInteger(values[0]) && BigInt(value) < BigInt(values[0]);
    default:
      return false;
  }
}

function isInteger(text: string | undefined): text is string {
  return text !== undefined && /^-?\d+$/.test(text);
}

/** A term without conditions matches no node. */
export function matchesNodeSelectorTerm(
  { matchExpressions = [], matchFields = [] }: NodeSelectorTerm,
  { metadata: { name, labels } }: NodeObject,
): boolean {
  if (matchExpressions.length === 0 && matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => holds(requirement, ownValue(labels, requirement.key))) &&
    matchFields.every((requirement) => requirement.key === 'metadata.name' && holds(requirement, name))
  );
}

/** Whether the node has what `nodeSelector` and the required node affinity ask for. */
export function matchesNodeAffinity({ nodeSelector, affinity }: PodSpec, node: NodeObject): boolean {
  const { labels } = node.metadata;
  if (!Object.entries(nodeSelector ?? {}).every(([key, value]) => labels?.[key] === value)) return false;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return !required || required.nodeSelectorTerms.some((term) => matchesNodeSelectorTerm(term, node));
}

export function tolerates(
  { key = '', operator, value = '', effect }: Toleration,
  { key: taintKey, value: taintValue = '', effect: taintEffect }: Taint,
): boolean {
  if (effect && effect !== taintEffect) return false;
  if (key && key !== taintKey) return false;
  return operator === 'Exists' || (key !== '' && value === taintValue);
}

/** The first taint of one of these effects that the pod does not tolerate. */
export function untoleratedTaint(
  taints: readonly Taint[],
  tolerations: readonly Toleration[] | undefined,
  effects: readonly TaintEffect[],
): Taint | undefined {
  return taints.find(
    (taint) =>
      effects.some((effect) => effect === taint.effect) &&
      !tolerations?.some((toleration) => tolerates(toleration, taint)),
  );
}

/** The status of the node's `Ready` condition; undefined when the node never reported. */
export function readinessOf({ status }: NodeObject): 'True' | 'False' | 'Unknown' | undefined {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  return ready === 'True' || ready === 'False' || ready === 'Unknown' ? ready : undefined;
}
