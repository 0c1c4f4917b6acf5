import { ApiError, forbidden } from '../resources/api-error.ts';
import type { Requester } from '../resources/definition.ts';

/** Who asks, as authentication found it. */
export type User = Requester;

/** A request for an object or a collection, in the terms of RBAC. */
export interface ResourceAttributes {
  readonly type: 'resource';
  /** A verb of requests (`get`, `list` …) or one of RBAC's own (`bind`, `escalate`, `impersonate`, `approve` …). */
  readonly verb: string;
  readonly group: string;
  /** The plural: `pods`. */
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
  /** Fields that every object of the answer has these values in. */
  readonly fields?: Readonly<Record<string, string>>;
}

/** A request for a path that names no resource. */
export interface PathAttributes {
  readonly type: 'path';
  /** The method in lower case. */
  readonly verb: string;
  readonly path: string;
}

export type Attributes = ResourceAttributes | PathAttributes;

export interface Decision {
  readonly allowed: boolean;
  /** For a person; empty when there is nothing to add. */
  readonly reason: string;
}

/** What somebody may do in a namespace. */
export interface UserRules {
  readonly resourceRules: readonly ResourceRule[];
  readonly nonResourceRules: readonly NonResourceRule[];
  /** Some of what the user may do can not be listed. */
  readonly incomplete: boolean;
  /** What went wrong on the way. */
  readonly error: string;
}

export interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface NonResourceRule {
  readonly verbs: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

/** Decides who may do what. Decisions are made from memory and are never behind a write that was answered. */
export interface Authorizer {
  authorize(user: User, attributes: Attributes): Decision;
  rulesFor(user: User, namespace: string): UserRules;
}

export const NO_OPINION: Decision = { allowed: false, reason: '' };

/** The 403 for what `user` may not do, in the words that clients show. */
export function refusal(user: User, attributes: Attributes, reason: string): ApiError {
  const why = `${deniedText(user, attributes)}${reason && `: ${reason}`}`;
  if (attributes.type === 'path') return new ApiError(403, 'Forbidden', `forbidden: ${why}`, {});
  const { group, resource, name = '' } = attributes;
  return forbidden({ group, plural: resource }, name, why);
}

function deniedText(user: User, attributes: Attributes): string {
  const who = `User ${JSON.stringify(user.name)} cannot ${attributes.verb}`;
  if (attributes.type === 'path') return `${who} path ${JSON.stringify(attributes.path)}`;
  const { group, namespace } = attributes;
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : 'at the cluster scope';
  return `${who} resource ${JSON.stringify(resourceText(attributes))} in API group ${JSON.stringify(group)} ${where}`;
}

/** `pods/log`. */
export function resourceText({ resource, subresource }: ResourceAttributes): string {
  return subresource ? `${resource}/${subresource}` : resource;
}
