import type { Registry } from '../../registry/registry.ts';
import { type KubeObject, objectKey } from '../../resources/object.ts';
import { namespaces, serviceAccounts } from '../../resources/table-of-resources.ts';
import type { NamespaceObject } from '../../resources/typed.ts';
import { sameJson } from '../../schema/json-type.ts';
import { type ControllerContext, type Running, startController, unlessGone } from '../controller.ts';
import { changeExisting } from '../status.ts';
import { endingConditions } from './namespace-conditions.ts';

const SOURCE = { fieldManager: 'namespace-controller' };
const FINALIZER = 'kubernetes';
const DEFAULT_ACCOUNT = 'default';

/** What of an ending namespace was still there when it was last looked at. */
type Remains = Map<string, Set<string>>;

/** Empties namespaces that end, and gives each that lives its ServiceAccount `default`. */
export function startNamespaceController(context: ControllerContext): Running {
  const { registry } = context;
  const remains: Remains = new Map();
  return startController(context, {
    name: 'namespace',
    watches: [{ resource: namespaces, keys: ({ object }) => [object.metadata.name ?? ''] }],
    watchesAll: {
      select: ({ namespaced }) => namespaced,
      keys: (resource, { type, object }) => {
        const { namespace = '', name } = object.metadata;
        if (type !== 'DELETED') return [];
        if (resource === serviceAccounts && name === DEFAULT_ACCOUNT) return [namespace];
        // The last one that goes wakes the namespace; looking at all that is left each time would be quadratic.
        const left = remains.get(namespace);
        left?.delete(`${resource.group}/${resource.plural} ${objectKey(object)}`);
        return left?.size === 0 ? [namespace] : [];
      },
    },
    sync: (name) => syncNamespace(registry, remains, name),
  });
}

async function syncNamespace(registry: Registry, remains: Remains, name: string): Promise<undefined> {
  const namespace = registry.get(namespaces, undefined, name) as NamespaceObject | undefined;
  if (!namespace) {
    remains.delete(name);
    return undefined;
  }
  if (namespace.metadata.deletionTimestamp === undefined) await ensureAccount(registry, name);
  else await empty(registry, remains, namespace);
  return undefined;
}

async function ensureAccount(registry: Registry, namespace: string): Promise<void> {
  if (registry.get(serviceAccounts, namespace, DEFAULT_ACCOUNT)) return;
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: DEFAULT_ACCOUNT, namespace },
  };
  await unlessGone(registry.create(serviceAccounts, account, SOURCE));
}

async function empty(registry: Registry, remains: Remains, namespace: NamespaceObject): Promise<void> {
  const { name = '' } = namespace.metadata;
  const content = contentOf(registry, name);
  remains.set(name, new Set(content.map(({ key }) => key)));
  const deletions = await Promise.allSettled(
    content
      .filter(({ object }) => object.metadata.deletionTimestamp === undefined)
      .map(({ resource, object: { metadata } }) =>
        unlessGone(
          registry.delete(resource, name, metadata.name ?? '', {
            preconditions: { uid: metadata.uid ?? '' },
          }),
        ),
      ),
  );
  const left = contentOf(registry, name);
  const failed = deletions.filter((each) => each.status === 'rejected').map(({ reason }) => reason as Error);
  await tell(registry, namespace, left, failed);
  if (failed[0]) throw failed[0]; // tried again, after a while
  if (left.length === 0) await changeExisting(registry, namespaces, namespace, withoutFinalizer, SOURCE);
}

/** Says in the namespace's status what holds it. */
async function tell(
  registry: Registry,
  namespace: NamespaceObject,
  left: ReturnType<typeof contentOf>,
  failed: readonly Error[],
): Promise<void> {
  const remaining = left.map(({ resource: { group, plural }, object }) => ({ group, plural, object }));
  const failures = failed.map(({ message }) => message);
  const change = (current: KubeObject) => {
    const { status } = current as NamespaceObject;
    const before = status?.conditions ?? [];
    const conditions = endingConditions(before, remaining, failures, Date.now());
    return sameJson(before, conditions) ? current : { ...current, status: { ...status, conditions } };
  };
  await changeExisting(registry, namespaces, namespace, change, { ...SOURCE, subresource: 'status' });
}

function contentOf(registry: Registry, namespace: string) {
  return registry.definitions
    .filter(({ namespaced }) => namespaced)
    .flatMap((resource) =>
      registry.list(resource, { namespace }).items.map((object) => ({
        resource,
        object,
        key: `${resource.group}/${resource.plural} ${objectKey(object)}`,
      })),
    );
}

/** The update that takes the last one away removes the namespace. */
function withoutFinalizer(namespace: KubeObject): KubeObject {
  const { spec } = namespace as NamespaceObject;
  const finalizers = (spec.finalizers ?? []).filter((each) => each !== FINALIZER);
  return { ...namespace, spec: { ...spec, finalizers } };
}
