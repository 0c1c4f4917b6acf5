import type { ResourceDefinition } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import type { AdmissionRequest } from './admission.ts';
import type { Connection, DeleteOptions, UpdateOptions } from './registry.ts';

/* What policies are asked about a write, a deletion, a connection. */

export function writeRequest(
  resource: ResourceDefinition,
  object: KubeObject,
  old: KubeObject | undefined,
  { subresource, requester, dryRun = false, warn = () => {} }: UpdateOptions,
): AdmissionRequest {
  const operation = old ? 'UPDATE' : 'CREATE';
  return { operation, resource, subresource, object, old, requester, dryRun, warn };
}

export function deletionRequest(
  resource: ResourceDefinition,
  object: KubeObject,
  { requester, dryRun = false, warn = () => {} }: DeleteOptions,
): AdmissionRequest {
  const operation = 'DELETE';
  return { operation, resource, subresource: undefined, object, old: object, requester, dryRun, warn };
}

export function connectionRequest(
  resource: ResourceDefinition,
  { options: object, ...connection }: Connection,
): AdmissionRequest {
  return { operation: 'CONNECT', resource, object, old: undefined, dryRun: false, ...connection };
}
