import {
  CLEANUP_FINALIZER,
  type DefinitionObject,
  isEstablished,
} from '../../custom-resources/custom-resource-definition.ts';
import { customResourceDefinitions } from '../../custom-resources/custom-resource-definitions.ts';
import type { Registry } from '../../registry/registry.ts';
import type { ResourceDefinition } from '../../resources/definition.ts';
import type { KubeObject } from '../../resources/object.ts';
import { resourceByPlural, resources } from '../../resources/table-of-resources.ts';
import {
  type ControllerContext,
  type ObjectEvent,
  type Running,
  startController,
  unlessGone,
} from '../controller.ts';
import { changeExisting, writeStatus } from '../status.ts';
import { planStatus, type TakenNames, terminatingStatus } from './definition-plan.ts';

const MANAGER = 'custom-resource-controller';

/** Accepts the names of definitions, which are served from then on; deletes the instances of those that end. */
export function startCustomResourceController({ registry, now, log }: ControllerContext): Running {
  return startController(
    { registry, log },
    {
      name: 'custom-resource',
      watches: [{ resource: customResourceDefinitions, keys: (event) => concerned(registry, event) }],
      watchesAll: {
        select: ({ schema }) => typeof schema !== 'string',
        keys: (resource, { type }) =>
          type === 'DELETED' && registry.count(resource) === 0
            ? [`${resource.plural}.${resource.group}`]
            : [],
      },
      sync: (name) => sync(registry, name, now()),
    },
  );
}

/** The definition itself; when one goes, also those of its group that may have waited for its names. */
function concerned(registry: Registry, { type, object }: ObjectEvent): string[] {
  const { name = '' } = object.metadata;
  if (type !== 'DELETED') return [name];
  const { group } = (object as DefinitionObject).spec;
  return inGroup(registry, group).map(({ metadata }) => metadata.name ?? '');
}

function inGroup(registry: Registry, group: string): DefinitionObject[] {
  const { items } = registry.list(customResourceDefinitions);
  return (items as readonly DefinitionObject[]).filter(({ spec }) => spec.group === group);
}

async function sync(registry: Registry, name: string, nowMs: number): Promise<undefined> {
  const definition = registry.get(customResourceDefinitions, undefined, name) as DefinitionObject | undefined;
  if (!definition) return undefined;
  if (definition.metadata.deletionTimestamp !== undefined) await finish(registry, definition, nowMs);
  else await tell(registry, definition, planStatus(definition, takenNames(registry, definition), nowMs));
  return undefined;
}

function tell(registry: Registry, definition: DefinitionObject, status: object): Promise<void> {
  return writeStatus(registry, customResourceDefinitions, definition, status, MANAGER);
}

/** What the others have: definitions by what was accepted, built-in kinds by what they are. */
function takenNames(registry: Registry, definition: DefinitionObject): TakenNames {
  const { group } = definition.spec;
  const others = inGroup(registry, group)
    .filter((other) => other.metadata.name !== definition.metadata.name)
    .flatMap(({ status }) => status?.acceptedNames ?? []);
  const all = [...others, ...resources.filter((resource) => resource.group === group)];
  return {
    resources: new Set(
      all.flatMap(({ plural, singular = '', shortNames = [] }) => [plural, singular, ...shortNames]),
    ),
    kinds: new Set(all.flatMap(({ kind, listKind }) => [kind, listKind ?? `${kind}List`])),
  };
}

/** Its instances first, then its finalizer; the last instance that goes wakes it again. */
async function finish(registry: Registry, definition: DefinitionObject, nowMs: number): Promise<void> {
  if (!definition.metadata.finalizers?.includes(CLEANUP_FINALIZER)) return;
  const { group, names } = definition.spec;
  const resource = isEstablished(definition)
    ? resourceByPlural(registry.definitions, group, names.plural)
    : undefined;
  if (resource && registry.count(resource) > 0) {
    await tell(registry, definition, terminatingStatus(definition, nowMs));
    await deleteAll(registry, resource);
    if (registry.count(resource) > 0) return;
  }
  await changeExisting(registry, customResourceDefinitions, definition, withoutFinalizer, {
    fieldManager: MANAGER,
  });
}

async function deleteAll(registry: Registry, resource: ResourceDefinition): Promise<void> {
  const { items } = registry.list(resource);
  await Promise.all(
    items
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata: { namespace, name = '', uid = '' } }) =>
        unlessGone(registry.delete(resource, namespace, name, { preconditions: { uid } })),
      ),
  );
}

function withoutFinalizer(object: KubeObject): KubeObject {
  const finalizers = (object.metadata.finalizers ?? []).filter((each) => each !== CLEANUP_FINALIZER);
  return { ...object, metadata: { ...object.metadata, finalizers } };
}
