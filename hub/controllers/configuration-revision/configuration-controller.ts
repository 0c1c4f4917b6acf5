import { stampOf } from '../../fleet/configuration-stamp.ts';
import { policyNameOf, workloadsUnder } from '../../fleet/current-rollout.ts';
import { rolloutPolicies } from '../../fleet/rollout-policy.ts';
import type { ResourceDefinition } from '../../resources/definition.ts';
import { controllerOf, type KubeObject, objectKey } from '../../resources/object.ts';
import { configMaps, secrets } from '../../resources/table-of-resources.ts';
import { sameJson } from '../../schema/json-type.ts';
import { configurationMode, seenOf, type TemplateOwner } from '../configuration-seen.ts';
import {
  type ControllerContext,
  type ObjectEvent,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import type { PodWorkloadKind } from '../rollout/workload.ts';
import { changeExisting } from '../status.ts';
import { type ConfigurationPlan, type Copy, planConfiguration } from './configuration-plan.ts';
import { copiesOf, liveObject, newCopy, newId, resourceOf } from './copies.ts';
import { Settling } from './settling.ts';

const SOURCE = 'configuration-controller';

/**
 * Makes the ConfigMaps and Secrets that templates of one kind of workload read part of their revisions, where the
 * policy asks for it: copies of them, and stamps on the templates that say which.
 */
export function startConfigurationController(
  context: ControllerContext,
  kind: PodWorkloadKind,
): RunningController {
  const { registry } = context;
  const { resource, revisions } = kind;
  const settling = new Settling(context.now);
  const readers =
    (read: ResourceDefinition) =>
    ({ type, object }: ObjectEvent): string[] => {
      const key = `${object.metadata.namespace}/${read.kind}/${object.metadata.name}`;
      const using = registry.byIndex(resource, 'configuration', key).filter(isConcerned).map(objectKey);
      return type === 'DELETED' ? [...using, ...ownerKey(resource, object)] : using;
    };
  return startController(context, {
    name: `configuration-${resource.singular}`,
    watches: [
      {
        resource,
        keys: ({ type, object }) => (type === 'DELETED' || isConcerned(object) ? [objectKey(object)] : []),
      },
      { resource: configMaps, keys: readers(configMaps) },
      { resource: secrets, keys: readers(secrets) },
      {
        resource: rolloutPolicies,
        keys: ({ object }) => workloadsUnder(registry, resource, object).map(objectKey),
      },
      {
        // What only that revision was run with is needed no more.
        resource: revisions,
        keys: ({ type, object }) => (type === 'DELETED' ? ownerKey(resource, object) : []),
      },
    ],
    sync: (key) => syncConfiguration(context, kind, settling, key),
  });
}

/** One that has a policy, or of which something is left from when it had. */
function isConcerned(workload: KubeObject): boolean {
  const { template } = (workload as TemplateOwner).spec;
  return (
    policyNameOf(workload) !== undefined || stampOf(template) !== undefined || seenOf(workload) !== undefined
  );
}

function ownerKey(owners: ResourceDefinition, object: KubeObject): string[] {
  const owner = controllerOf(object);
  return owner?.kind === owners.kind ? [`${object.metadata.namespace}/${owner.name}`] : [];
}

async function syncConfiguration(
  context: ControllerContext,
  kind: PodWorkloadKind,
  settling: Settling,
  key: string,
): Promise<number | undefined> {
  const { registry } = context;
  const { namespace, name } = splitKey(key);
  const workload = registry.get(kind.resource, namespace, name) as TemplateOwner | undefined;
  if (!workload || workload.metadata.deletionTimestamp) {
    settling.forget(key);
    return undefined;
  }
  const mode = configurationMode(registry, workload);
  if (mode === undefined) return undefined; // without its policy nothing changes
  const plan = planConfiguration({
    workload,
    isRevisioned: mode === 'revisioned',
    history: kind.history(registry, workload).map(({ template }) => template),
    live: (item) => liveObject(registry, namespace, item),
    copies: copiesOf(registry, workload),
    newId,
  });
  const waitMs = plan.write && plan.canWait ? settling.waitMs(key) : 0;
  if (waitMs > 0) return waitMs;
  await removeCopies(context, plan.remove); // first: a quota may count them
  await makeCopies(context, kind.resource, workload, plan.create);
  const isWritten = await writeStamp(context, kind.resource, workload, plan);
  if (isWritten && plan.canWait) settling.taken(key);
  else settling.quiet(key);
  return undefined;
}

async function removeCopies({ registry }: ControllerContext, copies: readonly Copy[]): Promise<void> {
  const remove = ({ key, object: { metadata } }: Copy) => {
    const { namespace, name = '', uid = '' } = metadata;
    return unlessGone(registry.delete(resourceOf(key), namespace, name, { preconditions: { uid } }));
  };
  await Promise.all(copies.map(remove));
}

/** Refused as it would be to anybody, by a quota for example: then the change waits until it can be made. */
async function makeCopies(
  { registry, events }: ControllerContext,
  resource: ResourceDefinition,
  workload: TemplateOwner,
  copies: readonly Copy[],
): Promise<void> {
  const make = async (copy: Copy) => {
    try {
      const object = newCopy(resource, workload, copy);
      await registry.create(resourceOf(copy.key), object, { fieldManager: SOURCE });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const message = `The change waits: ${copy.key} cannot be copied for its revision: ${why}`;
      events.record(SOURCE, workload, { type: 'Warning', reason: 'ConfigurationNotCopied', message });
      throw error;
    }
  };
  const results = await Promise.allSettled(copies.map(make));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Returns whether it was written: not when the workload is another meanwhile, whose change has woken this key again. */
async function writeStamp(
  { registry, events }: ControllerContext,
  resource: ResourceDefinition,
  workload: TemplateOwner,
  { write, changed, canWait }: ConfigurationPlan,
): Promise<boolean> {
  if (!write) return false;
  const { template, annotations } = write;
  let isWritten = false;
  const change = (current: KubeObject): KubeObject => {
    const { metadata, spec } = current as TemplateOwner;
    isWritten =
      sameJson(spec.template, workload.spec.template) &&
      sameJson(metadata.annotations ?? {}, workload.metadata.annotations ?? {});
    return isWritten
      ? {
          ...current,
          metadata: { ...metadata, annotations: { ...annotations } },
          spec: { ...spec, template },
        }
      : current;
  };
  const written = await changeExisting(registry, resource, workload, change, { fieldManager: SOURCE });
  if (written && isWritten && canWait && changed.length > 0) {
    const message = `${changed.join(', ')} changed: this makes a new revision`;
    events.record(SOURCE, workload, { type: 'Normal', reason: 'ConfigurationChanged', message });
  }
  return written !== undefined && isWritten;
}
