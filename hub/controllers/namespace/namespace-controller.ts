import type { Registry } from '../../registry/registry.ts';
import { type KubeObject, objectKey } from '../../resources/object.ts';
import { namespaces, serviceAccounts } from '../../resources/table-of-resources.ts';
import type { NamespaceObject } from '../../resources/typed.ts';
import { type ControllerContext, type Running, startController, unlessGone } from '../controller.ts';
import { changeExisting } from '../status.ts';

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
  await Promise.all(
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
  if (contentOf(registry, name).length > 0) return;
  await changeExisting(registry, namespaces, namespace, withoutFinalizer, SOURCE);
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
