import type { Requester, ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';

/** Which objects of a resource: every condition must hold. */
export interface Selection {
  readonly namespace?: string;
  /** A predicate on labels or fields; made by hub/resources/selector.ts. */
  readonly matches?: (object: KubeObject) => boolean;
  /** Set when the selection can be at most the object of this name: it is then not searched for. */
  readonly name?: string;
}

export interface ListOptions extends Selection {
  /** Show what there was at this revision; the newest by default. */
  readonly atRevision?: number;
}

export interface ObjectList {
  /** In the order of namespace, then name, by bytes. */
  readonly items: readonly KubeObject[];
  /** The store's revision that this list shows, for a watch to go on from. */
  readonly revision: number;
}

export type WatchEvent =
  | {
      readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
      readonly object: KubeObject;
      readonly revision: number;
    }
  /** All that existed when the watch began has been delivered. Only after a start without `fromRevision`. */
  | { readonly type: 'SYNCED'; readonly revision: number };

export interface WatchOptions extends Selection {
  /** Deliver what changed after it; without it, first everything that exists as ADDED, then SYNCED. */
  readonly fromRevision?: number;
  /** Told when the resource is no longer served: no event will follow. */
  readonly onGone?: () => void;
}

export interface WriteOptions {
  /** Whose write it is, for managedFields. */
  readonly fieldManager: string;
  /** The object's `metadata.managedFields` are already those of this write (server-side apply): store them as they are. */
  readonly tracked?: boolean;
  /** Everything but the storing. */
  readonly dryRun?: boolean;
  /** Who asks; undefined for the hub itself. */
  readonly requester?: Requester;
  /** Takes what who asks should know of what was stored. */
  readonly warn?: (text: string) => void;
  /** The version in which the object is written, where that has rules of its own: its defaults and checks count. */
  readonly as?: ResourceDefinition;
}

export interface UpdateOptions extends WriteOptions {
  /**
   * Which part may change: the main path keeps `status`; `status` and the `parts` of the definition keep everything
   * else; `scale` is the main path under another name.
   */
  readonly subresource?: string;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
  /** Who asks; undefined for the hub itself. */
  readonly requester?: Requester;
  /** Takes what who asks should know. */
  readonly warn?: (text: string) => void;
}

/** Somebody is about to be joined to a pod: `exec`, `attach`, `portforward`. */
export interface Connection {
  readonly subresource: string;
  /** What it is to be (`PodExecOptions` …), under the pod's name. */
  readonly options: KubeObject;
  readonly requester: Requester;
  readonly warn: (text: string) => void;
}

/**
 * Kubernetes' semantics over the store: what a write means, for the API and for the hub's own controllers alike.
 * Reads come from memory and are never behind a write that was answered. Every method that refuses throws an
 * `ApiError`. Objects that are returned are shared: copy before changing.
 */
export interface Registry {
  /** Every resource that is stored. Another list when custom resources come, change or go. */
  readonly definitions: readonly ResourceDefinition[];
  /** The store's newest revision. */
  readonly revision: number;

  get(resource: ResourceDefinition, namespace: string | undefined, name: string): KubeObject | undefined;
  /** Throws 410 Expired if `atRevision` is older than the history. */
  list(resource: ResourceDefinition, options?: ListOptions): ObjectList;
  /** How many there are, without looking at them. */
  count(resource: ResourceDefinition): number;
  /** Objects by one of the definition's `indexes`, without a search. */
  byIndex(resource: ResourceDefinition, index: string, value: string): readonly KubeObject[];
  /** Every object, of any resource, that names this uid among its ownerReferences. */
  dependentsOf(
    uid: string,
  ): readonly { readonly resource: ResourceDefinition; readonly object: KubeObject }[];
  /**
   * Calls `listener` for each event, in order, starting before this returns. Throws 410 Expired if `fromRevision` is
   * older than the history. Returns the function that ends the watch. A listener must not throw and not wait.
   */
  watch(
    resource: ResourceDefinition,
    options: WatchOptions,
    listener: (event: WatchEvent) => void,
  ): () => void;

  /** Watches every resource that is selected, also those that are defined later: each from when it is there. */
  watchAll(
    select: (resource: ResourceDefinition) => boolean,
    listener: (resource: ResourceDefinition, event: WatchEvent) => void,
    selection?: Selection,
  ): () => void;

  /** 409 AlreadyExists; 404 or 403 for a namespace that is missing or ending; 422 Invalid. */
  create(resource: ResourceDefinition, object: KubeObject, options: WriteOptions): Promise<KubeObject>;
  /**
   * Replaces an object. A `metadata.resourceVersion` in it is a precondition (409 Conflict). An update that changes
   * nothing takes no revision. The update that removes the last finalizer of an ending object removes the object.
   */
  update(resource: ResourceDefinition, object: KubeObject, options: UpdateOptions): Promise<KubeObject>;
  /**
   * Applies `change` to the newest object and stores what it returns, again if another write came between.
   * `change` gets undefined when the object is missing and may then return an object to create (apply), or throw;
   * when it returns its argument, nothing is written.
   */
  modify(
    resource: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject | undefined) => KubeObject,
    options: UpdateOptions,
  ): Promise<{ object: KubeObject; created: boolean }>;
  /** `removed` is false while the object goes on existing, ending (finalizers, graceful deletion). */
  delete(
    resource: ResourceDefinition,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ): Promise<{ object: KubeObject; removed: boolean }>;
  /** Throws what the cluster's policies refuse. */
  checkConnection(resource: ResourceDefinition, connection: Connection): void;
}
