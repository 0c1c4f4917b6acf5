import type { NamespaceCondition } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../../resources/object.ts';
import { formatTime } from '../../resources/time.ts';

/*
 * What a namespace that ends says of itself, in Kubernetes' words: people and tools look here for what holds it. Pure.
 */

/** One object that is still in the namespace. */
export interface Remaining {
  readonly group: string;
  readonly plural: string;
  readonly object: KubeObject;
}

/** In the order in which Kubernetes tells them, with what each says when nothing is wrong. */
const FINE = [
  ['NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', 'All resources successfully discovered'],
  [
    'NamespaceDeletionGroupVersionParsingFailure',
    'ParsedGroupVersions',
    'All legacy kube types successfully parsed',
  ],
  [
    'NamespaceDeletionContentFailure',
    'ContentDeleted',
    'All content successfully deleted, may be waiting on finalization',
  ],
  ['NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed'],
  ['NamespaceFinalizersRemaining', 'ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
] as const;

type Problem = readonly [reason: string, message: string];

/** The conditions after an attempt to empty the namespace. What did not change keeps its time. */
export function endingConditions(
  before: readonly NamespaceCondition[],
  remaining: readonly Remaining[],
  failures: readonly string[],
  nowMs: number,
): NamespaceCondition[] {
  const problems = problemsOf(remaining, failures);
  const ours = FINE.map(([type, ...fine]): NamespaceCondition => {
    const problem = problems.get(type);
    const [reason, message] = problem ?? fine;
    const status = problem ? 'True' : 'False';
    const old = before.find((each) => each.type === type);
    const since = old?.status === status ? old.lastTransitionTime : undefined;
    return { type, status, lastTransitionTime: since ?? formatTime(nowMs), reason, message };
  });
  return [...before.filter(({ type }) => !ours.some((each) => each.type === type)), ...ours];
}

function problemsOf(remaining: readonly Remaining[], failures: readonly string[]): Map<string, Problem> {
  const problems = new Map<string, Problem>();
  if (failures.length > 0)
    problems.set('NamespaceDeletionContentFailure', [
      'ContentDeletionFailed',
      `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(', ')}`,
    ]);
  const kinds = counted(remaining.map(({ group, plural }) => `${plural}.${group}`));
  if (kinds.length > 0)
    problems.set('NamespaceContentRemaining', [
      'SomeResourcesRemain',
      `Some resources are remaining: ${kinds.map(([kind, count]) => `${kind} has ${count} resource instances`).join(', ')}`,
    ]);
  const finalizers = counted(remaining.flatMap(({ object }) => object.metadata.finalizers ?? []));
  if (finalizers.length > 0)
    problems.set('NamespaceFinalizersRemaining', [
      'SomeFinalizersRemain',
      `Some content in the namespace has finalizers remaining: ${finalizers.map(([name, count]) => `${name} in ${count} resource instances`).join(', ')}`,
    ]);
  return problems;
}

/** How often each is there, by name. */
function counted(names: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
}
