import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import type { User } from './attributes.ts';

/** A write through the API that was authorized by its path, before it is stored. */
export interface AdmittedWrite {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  readonly user: User;
  readonly resource: ResourceDefinition;
  readonly subresource?: string;
  readonly namespace?: string;
  /** Of the object; empty for one whose name is yet to be made. */
  readonly name: string;
  /** As the client wants it; of a subresource, its own kind. Undefined when something is deleted. */
  readonly object?: KubeObject;
  /** As it is; undefined when something is created. */
  readonly old?: KubeObject;
}

/** Whether somebody who may make such requests may write this; throws the refusal. Reads, but changes nothing. */
export type WriteCheck = (write: AdmittedWrite) => void;
