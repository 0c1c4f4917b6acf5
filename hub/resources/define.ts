import type { ResourceDefinition } from './definition.ts';
import { validateMetadata } from './metadata-validation.ts';
import { controllerOf, type KubeObject } from './object.ts';

type Optional = 'group' | 'shortNames' | 'categories' | 'hasStatus';

/** A definition from what is special about a kind: the rules for metadata are added to its own. */
export function defineResource(
  given: Omit<ResourceDefinition, Optional> & Partial<Pick<ResourceDefinition, Optional>>,
): ResourceDefinition {
  return {
    group: '',
    shortNames: [],
    categories: [],
    hasStatus: false,
    ...given,
    validate: (object, old, part) => [
      ...validateMetadata(given, object),
      ...(given.validate?.(object, old, part) ?? []),
    ],
  };
}

/** For `indexes`: the uid of the owner that manages the object. */
export function byController(object: KubeObject): readonly string[] {
  const uid = controllerOf(object)?.uid;
  return uid ? [uid] : [];
}

/** The object's `spec`, made when missing: what Kubernetes has as a struct is never absent. */
export function specOf<T extends object>(object: KubeObject): T {
  object.spec ??= {};
  return object.spec as T;
}

/** Sets `key` when it is missing. */
export function setDefault<T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void {
  if (target[key] === undefined || target[key] === null) target[key] = value;
}
