import type { PodCondition } from 'kubernetes-types/core/v1.d.ts';
import {
  AGENT_ACCEPTED_CONDITION,
  AGENT_RELEASE_ANNOTATION,
  AGENT_STAGED_CONDITION,
  type AgentRelease,
  agentReleaseOf,
  encodeAgentRelease,
} from '../../../proto/agent-release.ts';
import {
  ACCEPTED_CONDITION,
  encodePodUpdate,
  POD_UPDATE_ANNOTATION,
  STAGED_CONDITION,
} from '../../../proto/pod-update.ts';
import { answerOf } from '../../../proto/request-answer.ts';
import { type AgentReleaseObject, agentReleases, isFor } from '../../fleet/agent-release.ts';
import type { Registry } from '../../registry/registry.ts';
import { controllerOf, type KubeObject, objectKey } from '../../resources/object.ts';
import { controllerRevisions, nodes } from '../../resources/table-of-resources.ts';
import type { NodeObject, PodObject } from '../../resources/typed.ts';
import { type AgentPackageSource, archOf } from '../agent-release/missing-packages.ts';
import { AS_INSTALLED, recordsOf, revisionOf, versionOn } from '../agent-release/release-revisions.ts';
import { splitKey } from '../controller.ts';
import { REVISION_HASH } from '../daemon-set/revisions.ts';
import { changeExisting } from '../status.ts';
import { SOURCE } from './pod-changes.ts';
import type { Offering, WorkloadKind } from './workload.ts';

/*
 * AgentReleases: a device is a node that the release is for, and what it runs is a version of the agent. To the engine of
 * rollouts that looks as a pod does: one for the version that runs, and, while the device is asked to run another, one for
 * that, with what the device says of it. They are made of the Node whenever somebody looks, and stored nowhere.
 */

/** `packages`: what devices are told to download. */
export function agentReleaseWorkloads(packages: AgentPackageSource): WorkloadKind {
  return {
    resource: agentReleases,
    revisions: controllerRevisions,
    workloadOf: (registry, object) => {
      const owner = controllerOf(object);
      if (owner?.kind !== agentReleases.kind) return undefined;
      return registry.get(agentReleases, object.metadata.namespace, owner.name);
    },
    history: (registry, release) => recordsOf(registry, release).map(revisionOf),
    current: (registry, release) => {
      const all = recordsOf(registry, release).map(revisionOf);
      const newest = Math.max(0, ...all.map(({ number }) => number));
      const { version } = (release as AgentReleaseObject).spec;
      return all.find(({ hash, number }) => hash === version && number === newest);
    },
    pods: (registry, release) =>
      (registry.list(nodes).items as readonly NodeObject[])
        .filter((node) => isFor(release as AgentReleaseObject, node))
        .flatMap((node) => versionsAsPods(node, objectKey(release))),
    hashOf: ({ metadata }) => metadata.labels?.[REVISION_HASH],
    runsOn: (release, node) => isFor(release as AgentReleaseObject, node) && versionOn(node) !== undefined,
    isConcerned: (_registry, release, node) => isFor(release as AgentReleaseObject, node),
    stateOf: (node) =>
      JSON.stringify([
        versionOn(node),
        node.metadata.annotations?.[AGENT_RELEASE_ANNOTATION],
        conditionsOf(node).map(({ type, status, reason, message }) => [type, status, reason, message]),
      ]),
    offer: (registry, release, offering) => offer(registry, release, offering, packages),
    remove: async (registry, release, pod) => {
      const id = pod.metadata.annotations?.[REQUEST];
      await annotate(registry, pod.spec.nodeName ?? '', (asked) =>
        asked?.release === objectKey(release) && asked.id === id ? undefined : asked,
      );
    },
    goneBack: (_registry, release, from, to) => {
      const { spec } = release as AgentReleaseObject;
      if (spec.version !== from.hash || to.hash === AS_INSTALLED) return release;
      return { ...release, spec: { ...spec, version: to.hash } };
    },
  };
}

/** On what looks like a pod: the request that it is about. */
const REQUEST = 'fleet.holdfast.dev/agent-request';

const conditionsOf = ({ status }: NodeObject) =>
  (status?.conditions ?? []).filter(({ type }) =>
    [AGENT_STAGED_CONDITION, AGENT_ACCEPTED_CONDITION, 'Ready'].includes(type),
  );

/**
 * What runs on a node, and what it is asked to run. A device that tries a version says that it runs it: until it has decided,
 * what it ran before counts.
 */
export function versionsAsPods(node: NodeObject, release: string): PodObject[] {
  const version = versionOn(node);
  if (version === undefined) return [];
  const asked = agentReleaseOf(node);
  if (asked?.release !== release) return [podOf(node, version)];
  const uid = asked.update.replaces ?? '';
  const before = podOf(node, uid.slice(`${node.metadata.uid}/`.length), { [REQUEST]: asked.id });
  const update = { [POD_UPDATE_ANNOTATION]: encodePodUpdate(asked.update), [REQUEST]: asked.id };
  const next = podOf(node, asked.version, update, answers(node, asked.id));
  return [before, { ...next, metadata: { ...next.metadata, uid: asked.id } } as PodObject];
}

function podOf(
  { metadata, status }: NodeObject,
  version: string,
  annotations: Readonly<Record<string, string>> = {},
  conditions: readonly PodCondition[] = [],
): PodObject {
  const { name = '', uid = '' } = metadata;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const isReady: PodCondition = {
    type: 'Ready',
    status: ready?.status ?? 'Unknown',
    ...(ready?.lastTransitionTime && { lastTransitionTime: ready.lastTransitionTime }),
  };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, uid: `${uid}/${version}`, labels: { [REVISION_HASH]: version }, annotations },
    spec: { nodeName: name, containers: [] },
    status: {
      phase: 'Running',
      conditions: [isReady, { type: 'ContainersReady', status: 'True' }, ...conditions],
    },
  } as PodObject;
}

/** What the device says of a request, as it would say it of a pod. */
function answers(node: NodeObject, id: string): PodCondition[] {
  const types = [
    [AGENT_STAGED_CONDITION, STAGED_CONDITION],
    [AGENT_ACCEPTED_CONDITION, ACCEPTED_CONDITION],
  ] as const;
  return types.flatMap(([said, type]) => {
    const found = conditionsOf(node).find((each) => each.type === said);
    const message = found && answerOf(id, found.message ?? '');
    return found && message !== undefined ? [{ ...found, type, message }] : [];
  });
}

async function offer(
  registry: Registry,
  release: KubeObject,
  { rollout, node: name, update, retries }: Offering,
  packages: AgentPackageSource,
): Promise<void> {
  const node = registry.get(nodes, undefined, name) as NodeObject | undefined;
  const arch = node && archOf(node);
  if (!node || arch === undefined) return;
  const port = packages.port();
  if (port === undefined)
    throw new Error('the hub does not serve packages yet: devices are asked when it does');
  const version = rollout.spec.to.hash;
  const asked: AgentRelease = {
    id: `${rollout.metadata.uid}-${retries}`,
    release: objectKey(release),
    version,
    port,
    ...packages.packagesOf(version, arch),
    update,
  };
  // A device is asked one thing at a time.
  const isMine = (other: AgentRelease) =>
    other.release === asked.release || !isThere(registry, other.release);
  await annotate(registry, name, (before) => (before && !isMine(before) ? before : asked));
}

function isThere(registry: Registry, release: string): boolean {
  const { namespace, name } = splitKey(release);
  return registry.get(agentReleases, namespace, name) !== undefined;
}

/** Nobody is asked for this release any more. */
export async function withdrawRelease(registry: Registry, release: string): Promise<void> {
  const asked = registry.list(nodes).items.filter((node) => agentReleaseOf(node)?.release === release);
  await Promise.all(
    asked.map(({ metadata: { name = '' } }) =>
      annotate(registry, name, (found) => (found?.release === release ? undefined : found)),
    ),
  );
}

async function annotate(
  registry: Registry,
  name: string,
  change: (asked: AgentRelease | undefined) => AgentRelease | undefined,
): Promise<void> {
  const node = registry.get(nodes, undefined, name);
  if (!node) return;
  await changeExisting(
    registry,
    nodes,
    node,
    (current) => {
      const { [AGENT_RELEASE_ANNOTATION]: text, ...others } = current.metadata.annotations ?? {};
      const asked = change(agentReleaseOf(current));
      const next = asked && encodeAgentRelease(asked);
      if (next === text) return current;
      const annotations = { ...others, ...(next !== undefined && { [AGENT_RELEASE_ANNOTATION]: next }) };
      return { ...current, metadata: { ...current.metadata, annotations } };
    },
    { fieldManager: SOURCE },
  );
}
