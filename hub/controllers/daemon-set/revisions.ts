import type { KubeObject, OwnerReference } from '../../resources/object.ts';
import { controllerRevisions } from '../../resources/table-of-resources.ts';
import type { ControllerRevisionObject, DaemonSetObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import { stableHash } from '../stable-hash.ts';

export const REVISION_HASH = 'controller-revision-hash';

export interface RevisionPlan {
  /** Of the current template, as pods carry it. */
  readonly hash: string;
  readonly create: KubeObject | undefined;
  /** An old revision that is current again (`rollout undo`) gets the newest number. */
  readonly renumber: { readonly revision: ControllerRevisionObject; readonly to: number } | undefined;
  readonly remove: readonly ControllerRevisionObject[];
  /** The name is taken by a revision of other content: count it, and begin again. */
  readonly collided: boolean;
}

/** What `kubectl rollout undo` sends back as a patch. */
export function revisionData({ spec }: DaemonSetObject): object {
  return { spec: { template: { ...spec.template, $patch: 'replace' } } };
}

export function hashOf({ metadata }: KubeObject): string {
  return metadata.labels?.[REVISION_HASH] ?? '';
}

/** The history of a DaemonSet's templates, one ControllerRevision each. `needed` are hashes that must be kept. */
export function planRevisions(
  set: DaemonSetObject,
  owner: OwnerReference,
  revisions: readonly ControllerRevisionObject[],
  needed: ReadonlySet<string>,
): RevisionPlan {
  const data = revisionData(set);
  const newest = Math.max(0, ...revisions.map(({ revision }) => revision));
  const current = revisions
    .filter((each) => sameJson(each.data, data))
    .toSorted((a, b) => b.revision - a.revision)[0];
  const hash = current ? hashOf(current) : stableHash(data, set.status?.collisionCount ?? 0);
  return {
    hash,
    create: current ? undefined : newRevision(set, owner, { hash, data, revision: newest + 1 }),
    renumber: current && current.revision < newest ? { revision: current, to: newest + 1 } : undefined,
    remove: surplus(set, revisions, current, needed),
    collided: !current && revisions.some((each) => hashOf(each) === hash),
  };
}

/** While the template must not be acted on, the newest revision is as before what pods are made of, if there is one. */
export function unchangedRevisions(revisions: readonly ControllerRevisionObject[]): RevisionPlan | undefined {
  const [newest] = revisions.toSorted((a, b) => b.revision - a.revision);
  return (
    newest && { hash: hashOf(newest), create: undefined, renumber: undefined, remove: [], collided: false }
  );
}

function surplus(
  { spec }: DaemonSetObject,
  revisions: readonly ControllerRevisionObject[],
  current: ControllerRevisionObject | undefined,
  needed: ReadonlySet<string>,
): ControllerRevisionObject[] {
  const unused = revisions.filter((each) => each !== current && !needed.has(hashOf(each)));
  const count = Math.max(0, unused.length - (spec.revisionHistoryLimit ?? 10));
  return unused.toSorted((a, b) => a.revision - b.revision).slice(0, count);
}

function newRevision(
  { metadata, spec }: DaemonSetObject,
  owner: OwnerReference,
  { hash, data, revision }: { hash: string; data: object; revision: number },
): KubeObject {
  const { annotations } = metadata;
  return {
    apiVersion: 'apps/v1',
    kind: controllerRevisions.kind,
    metadata: {
      name: `${metadata.name}-${hash}`,
      ...(metadata.namespace && { namespace: metadata.namespace }),
      labels: { ...spec.template.metadata?.labels, [REVISION_HASH]: hash },
      ...(annotations && { annotations }),
      ownerReferences: [owner],
    },
    data,
    revision,
  };
}
