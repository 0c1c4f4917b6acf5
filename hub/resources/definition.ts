import type { Decoded } from '../schema/decode.ts';
import type { JsonObject } from '../schema/json-type.ts';
import type { ObjectSchema } from '../schema/schema.ts';
import type { FieldError } from './api-error.ts';
import type { KubeObject } from './object.ts';

/** A column of `kubectl get`. Cells are computed by the hub when it answers. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly description: string;
  /** `name` on the first column only. */
  readonly format?: string;
  /** 0 (the default) shows always, 1 only with `-o wide`. */
  readonly priority?: number;
  readonly cell: (object: KubeObject, nowMs: number) => string | number | boolean | null;
}

/** `…/scale`: where a kind keeps what `autoscaling/v1` Scale shows. */
export interface ScaleMapping {
  readonly replicas: (object: KubeObject) => number;
  readonly statusReplicas: (object: KubeObject) => number;
  /** As a string: `app=web,tier in (a,b)`. */
  readonly selector: (object: KubeObject) => string;
  /** The object with its desired replicas changed; the argument is left as it was. */
  readonly withReplicas: (object: KubeObject, replicas: number) => KubeObject;
}

/** Who makes a request. */
export interface Requester {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string;
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/**
 * What a write through a subresource makes of the object: `current` with that part of `given` which the subresource is
 * for. Neither is changed.
 */
export type PartOf = (given: KubeObject, current: KubeObject, nowMs: number) => KubeObject;

/**
 * Another group or version in which the same stored objects are served. What is not told here (names, scope,
 * subresources, columns) is as the stored kind has it. Conversion must lose nothing: `toStored(fromStored(x))` means
 * what `x` does.
 */
export interface ResourceView {
  readonly group: string;
  readonly version: string;
  /** The component name of its type in the schema. */
  readonly schema: string;
  /** Both return new objects and leave apiVersion and kind alone: those follow from the view. */
  readonly fromStored: (stored: KubeObject) => KubeObject;
  readonly toStored: (seen: KubeObject) => KubeObject;
  /** What is wrong with an object that is created in this form, besides what is wrong with what will be stored. */
  readonly validate?: (seen: KubeObject) => readonly FieldError[];
  /** A version with rules of its own: in place of all that is the stored kind's. */
  readonly definition?: ResourceDefinition;
  /** In place of those of the stored kind, where the fields have other names. */
  readonly fieldSelectors?: ResourceDefinition['fieldSelectors'];
}

/**
 * All the hub knows of one kind. Routing, discovery, OpenAPI, storage, defaults, validation and Table output follow
 * from it; nothing elsewhere asks for a kind by name except its own controller.
 */
export interface ResourceDefinition {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  /** `<kind>List` unless stated. */
  readonly listKind?: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** The component name of its type in the schema: `io.k8s.api.apps.v1.Deployment`. For custom resources, the type itself. */
  readonly schema: string | ObjectSchema;
  /** Reads what a client sent, in place of decoding by the schema. */
  readonly decode?: (value: JsonObject) => Decoded;
  /** Makes of what is stored what it means today. Changes its argument, which nobody else holds yet. */
  readonly readStored?: (object: KubeObject) => void;
  /** False for a version that is only stored. */
  readonly isServed?: boolean;
  /** Told to all who still use it. */
  readonly deprecationWarning?: string;
  readonly hasStatus: boolean;
  /** What can be done with it, where that is not everything: a review is created, answered and forgotten. */
  readonly verbs?: readonly string[];
  readonly scale?: ScaleMapping;
  /** Subresources that a handler of its own serves; in discovery only. */
  readonly subresources?: readonly {
    readonly name: string;
    readonly verbs: readonly string[];
    /** Kind of its body, when it is not the resource's own. */
    readonly kind?: { readonly group: string; readonly version: string; readonly kind: string };
  }[];
  /** Subresources that change one part of the object and nothing else, besides `status`. */
  readonly parts?: Readonly<Record<string, PartOf>>;
  /** Fills in what of a status follows from the rest of it, whoever writes it. */
  readonly prepareStatus?: (object: KubeObject, current: KubeObject, nowMs: number) => void;
  /** Other groups and versions of the same objects. */
  readonly views?: readonly ResourceView[];
  /** Whether PUT on a missing object creates it. */
  readonly createOnUpdate?: boolean;
  /** Whether PUT must carry `metadata.resourceVersion`. */
  readonly updateNeedsVersion?: boolean;
  /** What does not happen yet with objects of this kind, which are only stored: said to who creates one. */
  readonly notYet?: string;
  /** Which names are valid; `subdomain` unless stated. */
  readonly nameRule?: 'subdomain' | 'label' | 'service' | 'path';
  /** Whether finalizers need no prefix. */
  readonly hasPlainFinalizers?: boolean;
  /** Sets what the client left out. Changes its argument, which nobody else holds yet. Must be idempotent. */
  readonly setDefaults?: (object: KubeObject) => void;
  /**
   * Sets what only the server may decide at creation (a pod's initial status …). Changes its argument. `requester` is
   * undefined for what the hub itself creates.
   */
  readonly prepareForCreate?: (object: KubeObject, requester?: Requester) => void;
  /** Carries over or derives what a client may not change. Changes `object`. */
  readonly prepareForUpdate?: (object: KubeObject, old: KubeObject) => void;
  /** Says in the status of an object that it begins to end. Changes its argument. */
  readonly prepareForDeletion?: (object: KubeObject) => void;
  /** `part` names the subresource that an update came through. */
  readonly validate?: (
    object: KubeObject,
    old: KubeObject | undefined,
    part?: string,
  ) => readonly FieldError[];
  /** Whether `metadata.generation` counts changes; by default, for kinds with a spec and a status. */
  readonly hasGeneration?: boolean;
  /** Whether an update counts as a new generation; by default, a change of `spec`. */
  readonly bumpsGeneration?: (object: KubeObject, old: KubeObject) => boolean;
  /**
   * Seconds between the request to delete and the removal, for kinds that end gracefully; the object then stays, with
   * a deletionTimestamp, until it is deleted again with 0. Undefined: removed at once.
   */
  readonly gracePeriodSeconds?: (object: KubeObject, requested: number | undefined) => number | undefined;
  /** Objects that nobody may delete: the cluster cannot be without them. */
  readonly protectedNames?: readonly string[];
  /** Whether an ending object must stay although no finalizer is left (a Namespace's `spec.finalizers`). */
  readonly holdsRemoval?: (object: KubeObject) => boolean;
  /** Fields that `fieldSelector` may name besides metadata.name and metadata.namespace. */
  readonly fieldSelectors?: Readonly<Record<string, (object: KubeObject) => string>>;
  /** Values under which the registry keeps an index: `{ 'spec.nodeName': (pod) => [...] }`. */
  readonly indexes?: Readonly<Record<string, (object: KubeObject) => readonly string[]>>;
  readonly columns: readonly Column[];
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf({ group, version }: { group: string; version: string }): string {
  return group ? `${group}/${version}` : version;
}
