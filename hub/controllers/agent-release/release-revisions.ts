import type { AgentReleaseObject } from '../../fleet/agent-release.ts';
import type { Revision } from '../../fleet/rollout.ts';
import type { Registry } from '../../registry/registry.ts';
import type { KubeObject, OwnerReference } from '../../resources/object.ts';
import { controllerRevisions } from '../../resources/table-of-resources.ts';
import type { ControllerRevisionObject, NodeObject } from '../../resources/typed.ts';
import { hashOf, REVISION_HASH } from '../daemon-set/revisions.ts';

/*
 * The history of an AgentRelease: ControllerRevisions, one for each version. Their hash is the version, so that a device
 * says which revision it has. Pure but for `recordsOf`.
 */

/** What devices had that ran no certain version: nobody can be told to go back to it. */
export const AS_INSTALLED = 'as-installed';

export function recordsOf(registry: Registry, { metadata }: KubeObject): readonly ControllerRevisionObject[] {
  return registry.byIndex(
    controllerRevisions,
    'controller',
    metadata.uid ?? '',
  ) as readonly ControllerRevisionObject[];
}

export function revisionOf(record: ControllerRevisionObject): Revision {
  return { number: record.revision, hash: hashOf(record) };
}

/** The version that a device says it runs; undefined before it has said so. */
export function versionOn({ status }: NodeObject): string | undefined {
  return status?.nodeInfo?.kubeletVersion?.replace(/^v/, '') || undefined;
}

/** What is to be written, so that the history has the version of the release as its newest. */
export interface RevisionPlan {
  readonly create: readonly KubeObject[];
  /** One that is current again gets the newest number. */
  readonly renumber: { readonly record: ControllerRevisionObject; readonly to: number } | undefined;
}

/**
 * Before the first version is what most devices run now: to that they go back. `devices` are those that the release is for.
 */
export function planRevisions(
  release: AgentReleaseObject,
  owner: OwnerReference,
  records: readonly ControllerRevisionObject[],
  devices: readonly NodeObject[],
): RevisionPlan {
  const { version } = release.spec;
  const newest = Math.max(0, ...records.map(({ revision }) => revision));
  const current = records.find((record) => hashOf(record) === version);
  if (current)
    return {
      create: [],
      renumber: current.revision < newest ? { record: current, to: newest + 1 } : undefined,
    };
  const before = newest === 0 ? [recordOf(release, owner, mostCommon(devices, version), 1)] : [];
  const number = Math.max(newest, before.length) + 1;
  return { create: [...before, recordOf(release, owner, version, number)], renumber: undefined };
}

/** Of the versions that devices run other than this one. */
function mostCommon(devices: readonly NodeObject[], besides: string): string {
  const versions = devices.map(versionOn).filter((each) => each !== undefined && each !== besides);
  const counts = [...Map.groupBy(versions, (each) => each)].map(([each, all]) => ({
    each,
    count: all.length,
  }));
  return counts.toSorted((a, b) => b.count - a.count)[0]?.each ?? AS_INSTALLED;
}

function recordOf(
  { metadata }: AgentReleaseObject,
  owner: OwnerReference,
  version: string,
  revision: number,
): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: controllerRevisions.kind,
    metadata: {
      name: `agent-${metadata.name}-${version.toLowerCase()}`,
      ...(metadata.namespace && { namespace: metadata.namespace }),
      labels: { [REVISION_HASH]: version },
      ownerReferences: [owner],
    },
    data: { spec: { version } },
    revision,
  };
}
