import type { CustomResourceDefinitionNames } from 'kubernetes-types/apiextensions/v1.d.ts';
import { conditionOf, type DefinitionObject } from '../../custom-resources/custom-resource-definition.ts';
import { formatTime } from '../../resources/time.ts';

/** Names that somebody else has in the same group. */
export interface TakenNames {
  /** Plural, singular and short names. */
  readonly resources: ReadonlySet<string>;
  /** Kinds and kinds of lists. */
  readonly kinds: ReadonlySet<string>;
}

type Status = NonNullable<DefinitionObject['status']>;
type Condition = NonNullable<Status['conditions']>[number];

/** The names that a definition may have, and why not the others. */
function acceptNames(
  wanted: CustomResourceDefinitionNames,
  accepted: CustomResourceDefinitionNames | undefined,
  taken: TakenNames,
): { names: CustomResourceDefinitionNames; conflict: Pick<Condition, 'reason' | 'message'> | undefined } {
  const names: CustomResourceDefinitionNames = { ...(accepted ?? { plural: '', kind: '' }) };
  let conflict: Pick<Condition, 'reason' | 'message'> | undefined;
  const refuse = (reason: string, name: string) => {
    conflict ??= { reason, message: `${JSON.stringify(name)} is already in use` };
  };
  if (taken.resources.has(wanted.plural)) refuse('PluralConflict', wanted.plural);
  else names.plural = wanted.plural;
  if (wanted.singular && taken.resources.has(wanted.singular)) refuse('SingularConflict', wanted.singular);
  else if (wanted.singular) names.singular = wanted.singular;
  const shortTaken = wanted.shortNames?.find((name) => taken.resources.has(name));
  if (shortTaken !== undefined) refuse('ShortNamesConflict', shortTaken);
  else if (wanted.shortNames) names.shortNames = wanted.shortNames;
  else delete names.shortNames;
  if (taken.kinds.has(wanted.kind)) refuse('KindConflict', wanted.kind);
  else names.kind = wanted.kind;
  if (wanted.listKind && taken.kinds.has(wanted.listKind)) refuse('ListKindConflict', wanted.listKind);
  else if (wanted.listKind) names.listKind = wanted.listKind;
  if (wanted.categories) names.categories = wanted.categories;
  else delete names.categories;
  return { names, conflict };
}

/** The status of a definition among others: which names it has, and whether it is served. */
export function planStatus(definition: DefinitionObject, taken: TakenNames, nowMs: number): Status {
  const { spec, status } = definition;
  const { names, conflict } = acceptNames(spec.names, status?.acceptedNames, taken);
  const accepted = conflict
    ? { type: 'NamesAccepted', status: 'False', ...conflict }
    : { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' };
  const isServed = conditionOf(definition, 'Established')?.status === 'True' || !conflict;
  const established = isServed
    ? {
        type: 'Established',
        status: 'True',
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      }
    : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' };
  return {
    ...status,
    conditions: withConditions(status?.conditions, [accepted, established], nowMs),
    acceptedNames: names,
  };
}

/** The status while its instances are deleted. */
export function terminatingStatus({ status }: DefinitionObject, nowMs: number): Status {
  const terminating = {
    type: 'Terminating',
    status: 'True',
    reason: 'InstanceDeletionInProgress',
    message: 'CustomResource deletion is in progress',
  };
  return { ...status, conditions: withConditions(status?.conditions, [terminating], nowMs) };
}

/** Conditions after a change: one that says the same as before keeps its time. */
function withConditions(
  before: readonly Condition[] = [],
  changes: readonly Omit<Condition, 'lastTransitionTime'>[],
  nowMs: number,
): Condition[] {
  const now = formatTime(nowMs) as unknown as NonNullable<Condition['lastTransitionTime']>;
  const after = [...before];
  for (const change of changes) {
    const at = after.findIndex(({ type }) => type === change.type);
    const known = after[at];
    const time = known?.status === change.status ? (known.lastTransitionTime ?? now) : now;
    after.splice(at < 0 ? after.length : at, at < 0 ? 0 : 1, { ...change, lastTransitionTime: time });
  }
  return after;
}
