import { forbidden } from '../resources/api-error.ts';
import { pods } from '../resources/table-of-resources.ts';
import type { AdmissionPlugin } from './plugin.ts';

/** Silence would pass for success: who creates what the hub only stores is told so, and what no agent does is refused. */
export const notYet: AdmissionPlugin = {
  check: ({ operation, resource, subresource, warn, object }) => {
    const { name = '' } = object.metadata;
    if (resource === pods && subresource === 'ephemeralcontainers')
      throw forbidden(pods, name, 'ephemeral containers are not run on devices yet');
    if (operation !== 'CREATE' || subresource !== undefined || resource.notYet === undefined) return;
    warn(`${resource.kind} ${name}: ${resource.notYet}`);
  },
};
