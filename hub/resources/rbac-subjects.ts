import type { KubeObject } from './object.ts';
import type { RoleBindingObject } from './typed.ts';

/*
 * Bindings are found by whom they name, and by the namespace in which they count: a request then looks at no binding
 * but those of the user who makes it. The namespace of what counts everywhere is empty.
 */

export const SUBJECT_INDEX = 'subject';

/** The user name of a service account. */
export function accountUser(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

/** Among the keys of a binding that counts in this namespace and names this user. */
export function userKey(namespace: string, user: string): string {
  return `${namespace} User ${user}`;
}

export function groupKey(namespace: string, group: string): string {
  return `${namespace} Group ${group}`;
}

export function subjectKeys(binding: KubeObject): string[] {
  const { namespace = '' } = binding.metadata;
  const { subjects = [] } = binding as RoleBindingObject;
  const keys = subjects.map((subject) => {
    if (subject.kind === 'User') return userKey(namespace, subject.name);
    if (subject.kind === 'Group') return groupKey(namespace, subject.name);
    return userKey(namespace, accountUser(subject.namespace || namespace, subject.name));
  });
  return [...new Set(keys)];
}
