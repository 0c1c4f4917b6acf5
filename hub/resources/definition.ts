import type { FieldError } from './api-error.ts';
import type { KubeObject } from './object.ts';

/** A column of `kubectl get`. Cells are computed by the hub when it answers. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly description: string;
  /** `name` on the first column only. */
  readonly format?: string;
  /** 0 (the default) shows always, 1 only with `-o wide`. */
  readonly priority?: number;
  readonly cell: (object: KubeObject, nowMs: number) => string | number | boolean;
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
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** The component name of its type in the schema: `io.k8s.api.apps.v1.Deployment`. */
  readonly schema: string;
  readonly hasStatus: boolean;
  readonly scale?: ScaleMapping;
  /** Subresources that a handler of its own serves; in discovery only. */
  readonly subresources?: readonly {
    readonly name: string;
    readonly verbs: readonly string[];
    /** Kind of its body, when it is not the resource's own. */
    readonly kind?: { readonly group: string; readonly version: string; readonly kind: string };
  }[];
  /** Whether PUT on a missing object creates it. */
  readonly createOnUpdate?: boolean;
  /** Whether PUT must carry `metadata.resourceVersion`. */
  readonly updateNeedsVersion?: boolean;
  /** Which names are valid; `subdomain` unless stated. */
  readonly nameRule?: 'subdomain' | 'label' | 'path';
  /** Sets what the client left out. Changes its argument, which nobody else holds yet. Must be idempotent. */
  readonly setDefaults?: (object: KubeObject) => void;
  /** Sets what only the server may decide at creation (a pod's initial status …). Changes its argument. */
  readonly prepareForCreate?: (object: KubeObject) => void;
  /** Carries over or derives what a client may not change. Changes `object`. */
  readonly prepareForUpdate?: (object: KubeObject, old: KubeObject) => void;
  readonly validate?: (object: KubeObject, old: KubeObject | undefined) => readonly FieldError[];
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
