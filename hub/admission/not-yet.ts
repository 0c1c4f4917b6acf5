import type { AdmissionPlugin } from './plugin.ts';

/** Who creates what the hub only stores is told so: silence would pass for success. */
export const notYet: AdmissionPlugin = {
  check: ({ operation, resource, subresource, warn, object }) => {
    if (operation !== 'CREATE' || subresource !== undefined || resource.notYet === undefined) return;
    warn(`${resource.kind} ${object.metadata.name ?? ''}: ${resource.notYet}`);
  },
};
