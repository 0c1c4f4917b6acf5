import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';

interface Dependent {
  readonly resource: ResourceDefinition;
  readonly object: KubeObject;
}

/** Which objects, of any resource, name an owner: what garbage collection asks. */
export class OwnerIndex {
  readonly #dependents = new Map<string, Map<string, Dependent>>(); // owner's uid → dependent's uid → dependent

  put(resource: ResourceDefinition, object: KubeObject): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(uid) ?? new Map();
      this.#dependents.set(uid, dependents.set(object.metadata.uid ?? '', { resource, object }));
    }
  }

  remove(object: KubeObject): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const dependents = this.#dependents.get(uid);
      dependents?.delete(object.metadata.uid ?? '');
      if (dependents?.size === 0) this.#dependents.delete(uid);
    }
  }

  dependentsOf(uid: string): Dependent[] {
    return [...(this.#dependents.get(uid)?.values() ?? [])];
  }
}
