import type { AdmissionPlugin } from './plugin.ts';

/** Silence would pass for success: who creates what the hub only stores is told so. */
export const notYet: AdmissionPlugin = {
  check: ({ operation, resource, subresource, warn, object }) => {
    const { name = '' } = object.metadata;
    if (operation !== 'CREATE' || subresource !== undefined || resource.notYet === undefined) return;
    warn(`${resource.kind} ${name}: ${resource.notYet}`);
  },
};
