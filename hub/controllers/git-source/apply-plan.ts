import { type Failure, type ObjectRef, SOURCE_ANNOTATION } from '../../fleet/git-source.ts';
import { isJsonObject } from '../../schema/json-type.ts';
import type { Manifest } from './manifests.ts';

/** What others stand on comes first: what they are of, then what they are allowed by. */
const STAGES: readonly (readonly string[])[] = [
  ['Namespace', 'CustomResourceDefinition', 'PriorityClass', 'RuntimeClass', 'StorageClass'],
  ['ServiceAccount', 'Role', 'ClusterRole', 'ResourceQuota', 'LimitRange'],
];

/** Which stage a kind belongs to; those without one are of the last. */
export function stageOf(kind: string): number {
  const stage = STAGES.findIndex((kinds) => kinds.includes(kind));
  return stage < 0 ? STAGES.length : stage;
}

/** In the order in which they are applied; within a stage as they stand in the repository. */
export function stagesOf<T extends { readonly ref: ObjectRef }>(objects: readonly T[]): T[][] {
  const stages = Map.groupBy(objects, ({ ref }) => stageOf(ref.kind));
  return [...stages.keys()].toSorted((a, b) => a - b).map((stage) => stages.get(stage) ?? []);
}

/** A manifest with where it goes. */
export interface WantedObject extends Manifest {
  /** The same for every version of the object. */
  readonly key: string;
}

export interface Placement {
  /** Of the GitSource: `namespace/name`. */
  readonly source: string;
  readonly namespace: string;
  readonly targetNamespace?: string | undefined;
  /** Undefined for kinds that are not served. */
  readonly isNamespaced: (ref: ObjectRef) => boolean | undefined;
  readonly keyOf: (ref: ObjectRef) => string | undefined;
}

/** Where a manifest goes: in which namespace, and marked with its source. A failure when its kind is not known. */
export function placed(manifest: Manifest, placement: Placement): WantedObject | Failure {
  const { source, namespace, targetNamespace, isNamespaced, keyOf } = placement;
  const { ref, file, body } = manifest;
  const isIn = isNamespaced(ref);
  const { namespace: own, ...rest } = ref;
  const to: ObjectRef = isIn ? { ...rest, namespace: targetNamespace ?? own ?? namespace } : rest;
  const key = keyOf(to);
  if (isIn === undefined || key === undefined)
    return { file, object: `${ref.kind} ${ref.name}`, message: unknownKind(ref) };
  const value = isJsonObject(body.value) ? body.value : {};
  const metadata = isJsonObject(value['metadata']) ? value['metadata'] : {};
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {};
  const { namespace: _, ...others } = metadata;
  return {
    file,
    key,
    ref: to,
    body: {
      duplicates: body.duplicates,
      value: {
        ...value,
        metadata: {
          ...others,
          ...(to.namespace !== undefined && { namespace: to.namespace }),
          annotations: { ...annotations, [SOURCE_ANNOTATION]: source },
        },
      },
    },
  };
}

/** Both kinds apart. */
export function sorted(each: readonly (WantedObject | Failure)[]): {
  readonly wanted: readonly WantedObject[];
  readonly failures: readonly Failure[];
} {
  return { wanted: each.filter(isWanted), failures: each.filter((one): one is Failure => !isWanted(one)) };
}

function isWanted(each: WantedObject | Failure): each is WantedObject {
  return 'key' in each;
}

function unknownKind({ apiVersion, kind }: ObjectRef): string {
  return `no matches for kind "${kind}" in version "${apiVersion}": it is not served, and no CustomResourceDefinition of the revision defines it`;
}

/** Kinds that the revision itself defines: `example.com Sample`. */
export function definedKinds(manifests: readonly Manifest[]): ReadonlySet<string> {
  return new Set(
    manifests.flatMap(({ ref, body }) => {
      const spec = isJsonObject(body.value) ? body.value['spec'] : undefined;
      if (ref.kind !== 'CustomResourceDefinition' || !isJsonObject(spec) || !isJsonObject(spec['names']))
        return [];
      return [`${spec['group']} ${spec['names']['kind']}`];
    }),
  );
}

export function isDefinedBy(kinds: ReadonlySet<string>, { apiVersion, kind }: ObjectRef): boolean {
  return kinds.has(`${apiVersion.split('/').slice(0, -1)} ${kind}`);
}

/** What was applied once and is not wanted any more, in the order in which it is removed. */
export function goneOf(
  inventory: readonly ObjectRef[],
  wanted: ReadonlySet<string>,
  keyOf: (ref: ObjectRef) => string | undefined,
): ObjectRef[] {
  const gone = inventory.filter((ref) => !wanted.has(keyOf(ref) ?? ''));
  return gone.toSorted((a, b) => stageOf(b.kind) - stageOf(a.kind));
}
