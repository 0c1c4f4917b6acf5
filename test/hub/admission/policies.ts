import { openPolicies } from '../../../hub/admission/open-policies.ts';
import {
  DEFAULT_ADDRESSES,
  DEFAULT_NODE_PORTS,
  parseServiceRanges,
} from '../../../hub/admission/service-addresses/service-ranges.ts';
import type { Authorize } from '../../../hub/cel/authorizer.ts';
import type { StoreRegistry } from '../../../hub/registry/store-registry.ts';
import { ApiError } from '../../../hub/resources/api-error.ts';
import type { ResourceDefinition } from '../../../hub/resources/definition.ts';
import type { KubeObject } from '../../../hub/resources/object.ts';
import * as table from '../../../hub/resources/table-of-resources.ts';
import { openRegistry } from '../controllers/cluster.ts';

type Teardown = Parameters<typeof openRegistry>[0];

/** For policies that do not ask what somebody may do. */
export const ALLOW_NOTHING: Authorize = () => ({ allowed: false, reason: '' });

/** A registry with the cluster's policies, and short ways to write to it. */
export async function withPolicies(t: Teardown, authorize = ALLOW_NOTHING) {
  const registry = await openRegistry(t);
  const { quotas, close } = openPolicies(registry, {
    serviceRanges: parseServiceRanges(DEFAULT_ADDRESSES, DEFAULT_NODE_PORTS),
    authorize,
  });
  t.teardown(close);
  return { registry, quotas, ...writersOf(registry) };
}

function writersOf(registry: StoreRegistry) {
  const create = (resource: ResourceDefinition, object: object, options: { dryRun?: boolean } = {}) => {
    const { metadata, ...rest } = object as Partial<KubeObject>;
    const placed = { ...(resource.namespaced && { namespace: 'default' }), ...metadata };
    return registry.create(resource, { ...rest, metadata: placed } as KubeObject, {
      fieldManager: 'test',
      ...options,
    });
  };
  const pod = (name: string, spec: object = {}, container: object = {}) =>
    create(table.pods, podOf(name, spec, container));
  return { create, pod };
}

export function podOf(name: string, spec: object = {}, container: object = {}) {
  return { metadata: { name }, spec: { containers: [{ name: 'a', image: 'b', ...container }], ...spec } };
}

/** The message of the refusal; fails when there is none. */
export async function refusalOf(write: Promise<unknown>): Promise<string> {
  try {
    await write;
  } catch (error) {
    if (error instanceof ApiError && (error.code === 403 || error.code === 422)) return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}
