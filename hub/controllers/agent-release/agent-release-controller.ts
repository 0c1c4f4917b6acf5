import { type AgentReleaseObject, agentReleases, isFor } from '../../fleet/agent-release.ts';
import type { Registry } from '../../registry/registry.ts';
import { controllerOf, objectKey } from '../../resources/object.ts';
import { controllerRevisions, nodes } from '../../resources/table-of-resources.ts';
import type { NodeObject } from '../../resources/typed.ts';
import {
  type ControllerContext,
  type RunningController,
  splitKey,
  startController,
  unlessGone,
} from '../controller.ts';
import { hashOf } from '../daemon-set/revisions.ts';
import { controllerReference } from '../ownership.ts';
import { withdrawRelease } from '../rollout/agent-release-workload.ts';
import { changeExisting, writeStatus } from '../status.ts';
import { type AgentPackageSource, missingPackages } from './missing-packages.ts';
import { planRevisions, recordsOf, versionOn } from './release-revisions.ts';

const SOURCE = 'agent-release-controller';
/** Packages are files, which somebody adds: nothing tells of it. */
const PACKAGES_AGAIN_MS = 5_000;
/** Devices report all at once when the hub starts: their count is worth one write now and then. */
const SETTLE_MS = 200;

/** Keeps the history of AgentReleases, once the hub has what it takes; a rollout follows from a new version in it. */
export function startAgentReleaseController(
  context: ControllerContext,
  packages: AgentPackageSource,
): RunningController {
  const { registry } = context;
  const versions = new Map<string, string>();
  const controller = startController(context, {
    name: 'agent-release',
    watches: [
      { resource: agentReleases, keys: ({ object }) => [objectKey(object)] },
      {
        resource: controllerRevisions,
        keys: ({ object }) => {
          const owner = controllerOf(object);
          return owner?.kind === agentReleases.kind ? [`${object.metadata.namespace}/${owner.name}`] : [];
        },
      },
      {
        resource: nodes,
        keys: ({ type, object }) => {
          const { name = '', labels } = object.metadata;
          const seen = type === 'DELETED' ? '' : JSON.stringify([versionOn(object as NodeObject), labels]);
          if (versions.get(name) === seen) return [];
          versions.set(name, seen);
          for (const release of registry.list(agentReleases).items)
            controller.addAfter(objectKey(release), SETTLE_MS);
          return [];
        },
      },
    ],
    sync: (key) => syncRelease(context, packages, key),
  });
  return controller;
}

async function syncRelease(
  context: ControllerContext,
  packages: AgentPackageSource,
  key: string,
): Promise<number | undefined> {
  const { registry, events } = context;
  const { namespace, name } = splitKey(key);
  const release = registry.get(agentReleases, namespace, name) as AgentReleaseObject | undefined;
  if (!release) await withdrawRelease(registry, key);
  if (!release || release.metadata.deletionTimestamp) return undefined;
  const devices = devicesOf(registry, release);
  const { version } = release.spec;
  const isKnown = recordsOf(registry, release).some((record) => hashOf(record) === version);
  // What devices had before they may still hold: they are asked for it also when the hub lacks it.
  const problem = isKnown ? undefined : missingPackages(version, devices, packages);
  const status = {
    ...(release.metadata.generation !== undefined && { observedGeneration: release.metadata.generation }),
    devices: devices.length,
    updated: devices.filter((node) => versionOn(node) === version).length,
    ...(problem && { message: problem }),
  };
  if (problem && release.status?.message !== problem)
    events.record(SOURCE, release, { type: 'Warning', reason: 'PackageMissing', message: problem });
  if (!problem && devices.length > 0) await keepHistory(context, release, devices);
  await unlessGone(writeStatus(registry, agentReleases, release, status, SOURCE));
  return problem ? PACKAGES_AGAIN_MS : undefined;
}

export function devicesOf(registry: Registry, release: AgentReleaseObject): readonly NodeObject[] {
  const all = registry.list(nodes).items as readonly NodeObject[];
  return all.filter((node) => isFor(release, node) && versionOn(node) !== undefined);
}

async function keepHistory(
  { registry }: ControllerContext,
  release: AgentReleaseObject,
  devices: readonly NodeObject[],
): Promise<void> {
  const owner = controllerReference(agentReleases, release);
  const plan = planRevisions(release, owner, recordsOf(registry, release), devices);
  const options = { fieldManager: SOURCE };
  for (const record of plan.create) await unlessGone(registry.create(controllerRevisions, record, options));
  if (!plan.renumber) return;
  const { record, to } = plan.renumber;
  await changeExisting(
    registry,
    controllerRevisions,
    record,
    (current) => ({ ...current, revision: to }),
    options,
  );
}
