import type { Requester, ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';

/** A write that is about to be stored, a deletion, or a connection to a pod. */
export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  readonly resource: ResourceDefinition;
  readonly subresource: string | undefined;
  /**
   * What is to be stored; of a deletion, what is to go. Of a connection, what it is to be: `PodExecOptions` and the like,
   * under the pod's name.
   */
  readonly object: KubeObject;
  /** What it replaces, or what is to go. */
  readonly old: KubeObject | undefined;
  /** Who asks; undefined for the hub itself. */
  readonly requester: Requester | undefined;
  readonly dryRun: boolean;
  /** Shown to who asks. */
  readonly warn: (text: string) => void;
}

/**
 * What the cluster's policies make of writes, whoever writes: clients and the hub's own controllers alike. The first is
 * asked after an object's defaults and before its validation, the second once it is known to be valid.
 */
export interface Admission {
  /** Fills in what policies say and the object does not, at its creation. Changes the object. May throw an ApiError. */
  complete(request: AdmissionRequest): void;
  /**
   * Throws an ApiError for what may not be. What it returns is called when the write is over, stored or not: until then,
   * what the write takes counts as taken. What only the hub has to give (addresses) is added to the object here: it is
   * nobody's field in managedFields.
   */
  check(request: AdmissionRequest): () => void;
  /** Throws an ApiError for what may not be deleted. */
  checkDeletion(request: AdmissionRequest): void;
  /** Throws an ApiError for what may not be connected to. */
  checkConnection(request: AdmissionRequest): void;
}

/** For registries without policies. */
export const ADMIT_ALL: Admission = {
  complete: () => {},
  check: () => () => {},
  checkDeletion: () => {},
  checkConnection: () => {},
};
