import type { AdmissionRequest } from '../registry/admission.ts';
import type { ResourceDefinition } from '../resources/definition.ts';

/** Whether the write is of this resource itself, not of its status or another part. */
export function writes({ resource, subresource }: AdmissionRequest, wanted: ResourceDefinition): boolean {
  return resource === wanted && (subresource === undefined || subresource === 'scale');
}

export function creates(request: AdmissionRequest, wanted: ResourceDefinition): boolean {
  return request.operation === 'CREATE' && writes(request, wanted);
}
