import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import type { Registry } from '../registry/registry.ts';
import { apiVersionOf, type ResourceDefinition } from '../resources/definition.ts';
import { controllerOf, type KubeObject, type OwnerReference, objectKey } from '../resources/object.ts';
import { matchesLabelSelector } from '../resources/selector.ts';
import { sameJson } from '../schema/json-type.ts';
import type { ObjectEvent } from './controller.ts';
import { changeExisting } from './status.ts';

/** The reference by which an owner manages an object. */
export function controllerReference(resource: ResourceDefinition, owner: KubeObject): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** Which objects change hands. */
export interface Claims {
  /** Ours, and matching: with nothing to do about it. */
  readonly kept: readonly KubeObject[];
  /** Nobody's, and matching. */
  readonly adopted: readonly KubeObject[];
  /** Ours, but not matching any more. */
  readonly released: readonly KubeObject[];
}

/** Kubernetes' rule: an owner manages exactly what its selector selects, and an ending one takes nothing new. */
export function planClaims(
  owner: KubeObject,
  selector: LabelSelector | undefined,
  owned: readonly KubeObject[],
  orphans: Iterable<KubeObject>,
): Claims {
  const isEnding = owner.metadata.deletionTimestamp !== undefined;
  const fits = ({ metadata: { labels } }: KubeObject) => matchesLabelSelector(selector, labels);
  return {
    kept: owned.filter((object) => isEnding || fits(object)),
    released: owned.filter((object) => !isEnding && !fits(object)),
    adopted: isEnding
      ? []
      : [...orphans].filter((object) => object.metadata.deletionTimestamp === undefined && fits(object)),
  };
}

/** Carries the claims out and returns all that the owner then manages. */
export async function settleClaims(
  registry: Registry,
  resource: ResourceDefinition,
  reference: OwnerReference,
  { kept, adopted, released }: Claims,
  fieldManager: string,
): Promise<readonly KubeObject[]> {
  if (adopted.length === 0 && released.length === 0) return kept;
  const write = (object: KubeObject, change: (current: KubeObject) => KubeObject) =>
    changeExisting(registry, resource, object, change, { fieldManager });
  await Promise.all(
    released.map((object) => write(object, (current) => withoutOwner(current, reference.uid))),
  );
  const taken = await Promise.all(
    adopted.map((object) => write(object, (current) => withController(current, reference))),
  );
  return [
    ...kept,
    ...taken.flatMap((object) => (object && controllerOf(object)?.uid === reference.uid ? [object] : [])),
  ];
}

function withController(object: KubeObject, reference: OwnerReference): KubeObject {
  if (controllerOf(object)) return object;
  const ownerReferences = [...(object.metadata.ownerReferences ?? []), reference];
  return { ...object, metadata: { ...object.metadata, ownerReferences } };
}

/** The object without its reference to one owner. */
export function withoutOwner(object: KubeObject, uid: string): KubeObject {
  const { ownerReferences = [], ...metadata } = object.metadata;
  const others = ownerReferences.filter((owner) => owner.uid !== uid);
  return { ...object, metadata: { ...metadata, ...(others.length > 0 && { ownerReferences: others }) } };
}

/** The objects of a resource that nobody manages, by namespace: what could be adopted, without a search. */
export class Orphans {
  readonly #byNamespace = new Map<string, Map<string, KubeObject>>();

  /** Follows a change; tells whether somebody might now want to adopt the object. */
  note({ type, object }: ObjectEvent): boolean {
    const { namespace = '', name = '', labels } = object.metadata;
    const orphans = this.#byNamespace.get(namespace);
    const before = orphans?.get(name);
    if (type === 'DELETED' || controllerOf(object)) {
      orphans?.delete(name);
      if (orphans?.size === 0) this.#byNamespace.delete(namespace);
      return false;
    }
    this.#byNamespace.set(namespace, (orphans ?? new Map<string, KubeObject>()).set(name, object));
    return before?.metadata.uid !== object.metadata.uid || !sameJson(before?.metadata.labels, labels);
  }

  in(namespace: string | undefined): Iterable<KubeObject> {
    return this.#byNamespace.get(namespace ?? '')?.values() ?? [];
  }
}

/** For a watch on dependents: the key of the owner of what changed, or of those that could adopt what nobody owns. */
export function keysOfOwner(
  registry: Registry,
  owners: ResourceDefinition,
  orphans: Orphans,
): (event: ObjectEvent) => string[] {
  return (event) => {
    const { namespace = '', labels } = event.object.metadata;
    const wanted = orphans.note(event);
    const owner = controllerOf(event.object);
    if (owner?.kind === owners.kind) return [`${namespace}/${owner.name}`];
    if (!wanted) return [];
    return registry
      .list(owners, { namespace })
      .items.filter((each) => matchesLabelSelector(selectorOf(each), labels))
      .map(objectKey);
  };
}

function selectorOf({ spec }: KubeObject): LabelSelector | undefined {
  return (spec as { selector?: LabelSelector } | undefined)?.selector;
}
