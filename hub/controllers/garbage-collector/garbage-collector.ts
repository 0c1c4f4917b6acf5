import type { Registry } from '../../registry/registry.ts';
import type { ResourceDefinition } from '../../resources/definition.ts';
import { type KubeObject, type OwnerReference, objectKey } from '../../resources/object.ts';
import { resourceByKind, resourceByPlural } from '../../resources/table-of-resources.ts';
import {
  type ControllerContext,
  type ObjectEvent,
  type Running,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { withoutOwner } from '../ownership.ts';
import { changeExisting } from '../status.ts';
import {
  FOREGROUND,
  hasFinalizer,
  isBlocked,
  isEnding,
  isWaiting,
  ORPHAN,
  type OwnerState,
  planDependent,
  withoutFinalizer,
} from './garbage-plan.ts';

const OPTIONS = { fieldManager: 'generic-garbage-collector' };

/**
 * Deletes what nobody owns any more, for every kind alike: dependents of a vanished owner, dependents before their
 * owner (`foregroundDeletion`), or lets them go (`orphan`). Works on the registry's index of owners; a change that
 * concerns no owner costs one look at each of the object's references.
 */
export function startGarbageCollector(context: ControllerContext): Running {
  const { registry } = context;
  return startController(context, {
    name: 'garbage-collector',
    concurrency: 256,
    watches: [],
    watchesAll: { select: () => true, keys: (resource, event) => keysFor(registry, resource, event) },
    sync: async (key) => {
      const [group = '', plural = '', name = ''] = key.split(' ', 3);
      const resource = resourceByPlural(registry.definitions, group, plural);
      if (resource) await collect(registry, resource, name);
      return undefined;
    },
  });
}

function keyOf(resource: ResourceDefinition, object: KubeObject): string {
  return `${resource.group} ${resource.plural} ${objectKey(object)}`;
}

/** Only what there is something to do about: other events end here. */
function keysFor(registry: Registry, resource: ResourceDefinition, { type, object }: ObjectEvent): string[] {
  const owners = object.metadata.ownerReferences ?? [];
  if (type === 'DELETED') {
    const dependents = registry.dependentsOf(object.metadata.uid ?? '');
    return [
      ...dependents.map((each) => keyOf(each.resource, each.object)),
      ...owners.flatMap((owner) => waitingOwner(registry, object, owner)),
    ];
  }
  if (isEnding(object))
    return hasFinalizer(object, FOREGROUND) || hasFinalizer(object, ORPHAN) ? [keyOf(resource, object)] : [];
  const isLost = owners.some((owner) => {
    const state = stateOf(registry, object, owner);
    return state === 'gone' || state === 'waiting';
  });
  return isLost ? [keyOf(resource, object)] : [];
}

function findOwner(
  registry: Registry,
  { metadata: { namespace } }: KubeObject,
  { apiVersion, kind, name }: OwnerReference,
): { resource: ResourceDefinition; owner: KubeObject | undefined } | undefined {
  const slash = apiVersion.indexOf('/');
  const resource = resourceByKind(registry.definitions, slash < 0 ? '' : apiVersion.slice(0, slash), kind);
  if (!resource) return undefined;
  return { resource, owner: registry.get(resource, resource.namespaced ? namespace : undefined, name) };
}

function stateOf(registry: Registry, object: KubeObject, reference: OwnerReference): OwnerState {
  const found = findOwner(registry, object, reference);
  if (!found) return 'unknown';
  const { owner } = found;
  if (owner?.metadata.uid !== reference.uid || !owner) return 'gone';
  return isWaiting(owner) ? 'waiting' : 'present';
}

/** The owner that may now go itself, as one of its dependents is gone. */
function waitingOwner(registry: Registry, object: KubeObject, reference: OwnerReference): string[] {
  const found = findOwner(registry, object, reference);
  if (!found?.owner || found.owner.metadata.uid !== reference.uid) return [];
  return isWaiting(found.owner) ? [keyOf(found.resource, found.owner)] : [];
}

async function collect(registry: Registry, resource: ResourceDefinition, key: string): Promise<void> {
  const { namespace, name } = splitKey(key);
  const object = registry.get(resource, namespace, name);
  if (!object) return;
  if (isEnding(object)) await finish(registry, resource, object);
  else await collectDependent(registry, resource, object);
}

/** An ending object that was deleted with a policy: its dependents first, then its finalizer. */
async function finish(registry: Registry, resource: ResourceDefinition, owner: KubeObject): Promise<void> {
  const dependents = registry.dependentsOf(owner.metadata.uid ?? '');
  if (hasFinalizer(owner, ORPHAN)) {
    const uid = owner.metadata.uid ?? '';
    const release = (current: KubeObject) => withoutOwner(current, uid);
    await Promise.all(
      dependents.map((each) => changeExisting(registry, each.resource, each.object, release, OPTIONS)),
    );
    await changeExisting(registry, resource, owner, (current) => withoutFinalizer(current, ORPHAN), OPTIONS);
    return;
  }
  if (!hasFinalizer(owner, FOREGROUND)) return;
  await Promise.all(dependents.map((each) => collectDependent(registry, each.resource, each.object)));
  const left = registry.dependentsOf(owner.metadata.uid ?? '').map(({ object }) => object);
  if (isBlocked(owner, left)) return; // the last one's end wakes this key again
  await changeExisting(
    registry,
    resource,
    owner,
    (current) => withoutFinalizer(current, FOREGROUND),
    OPTIONS,
  );
}

async function collectDependent(
  registry: Registry,
  resource: ResourceDefinition,
  object: KubeObject,
): Promise<void> {
  const { namespace, name = '', uid = '', resourceVersion = '' } = object.metadata;
  const plan = planDependent(
    object,
    (owner) => stateOf(registry, object, owner),
    () => registry.dependentsOf(uid).length > 0,
  );
  if (plan.type === 'keep') return;
  if (plan.type === 'drop-references') {
    const drop = (current: KubeObject) => plan.uids.reduce(withoutOwner, current);
    await changeExisting(registry, resource, object, drop, OPTIONS);
    return;
  }
  // With its version: an owner may have been added since.
  const preconditions = { uid, resourceVersion };
  await unlessGone(
    registry.delete(resource, namespace, name, { propagationPolicy: plan.policy, preconditions }),
  );
}
