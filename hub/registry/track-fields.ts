import { trackUpdate } from '../patch/managed-fields.ts';
import { apiVersionOf } from '../resources/definition.ts';
import { schemaOf } from '../schema/schema.ts';
import type { StoreRegistryOptions } from './store-registry.ts';

/** managedFields of ordinary writes, by the schema of the kind that is written. */
export const trackFields: StoreRegistryOptions['trackFields'] = ({ resource, subresource, ...write }) =>
  trackUpdate({
    ...write,
    schema: schemaOf(resource.schema),
    apiVersion: apiVersionOf(resource),
    hasStatus: resource.hasStatus,
    ...(subresource && { subresource }),
  });
