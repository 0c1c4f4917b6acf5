import { isDeepStrictEqual } from 'node:util';
import type { Registry } from '../registry/registry.ts';
import { forbidden } from '../resources/api-error.ts';
import { pods, runtimeClasses } from '../resources/table-of-resources.ts';
import type { PodObject, RuntimeClassObject } from '../resources/typed.ts';
import { creates } from './is-resource.ts';
import type { AdmissionPlugin } from './plugin.ts';

/** A pod that asks for a runtime gets what its RuntimeClass says of overhead and nodes. */
export function runtimeClass(registry: Registry): AdmissionPlugin {
  return {
    complete: (request) => {
      if (!creates(request, pods)) return;
      const pod = request.object as PodObject;
      const found = classOf(registry, pod);
      setOverhead(pod, found?.overhead?.podFixed);
      if (found?.scheduling) setScheduling(pod, found.scheduling);
    },
  };
}

function classOf(registry: Registry, pod: PodObject): RuntimeClassObject | undefined {
  const { runtimeClassName: name } = pod.spec;
  if (name === undefined) return undefined;
  const found = registry.get(runtimeClasses, undefined, name);
  if (!found) throw refused(pod, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
  return found as RuntimeClassObject;
}

function setOverhead(pod: PodObject, overhead: Record<string, string> | undefined): void {
  const { overhead: given } = pod.spec;
  if (given && !overhead)
    throw refused(pod, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
  if (given && !isDeepStrictEqual(given, overhead))
    throw refused(pod, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
  if (overhead) pod.spec.overhead = overhead;
}

function setScheduling(
  pod: PodObject,
  { nodeSelector = {}, tolerations = [] }: NonNullable<RuntimeClassObject['scheduling']>,
): void {
  const { spec } = pod;
  for (const [key, value] of Object.entries(nodeSelector)) {
    const given = spec.nodeSelector?.[key];
    if (given !== undefined && given !== value)
      throw refused(
        pod,
        `pod rejected: conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${given}`,
      );
  }
  if (Object.keys(nodeSelector).length > 0) spec.nodeSelector = { ...spec.nodeSelector, ...nodeSelector };
  const given = spec.tolerations ?? [];
  const added = tolerations.filter((each) => !given.some((other) => isDeepStrictEqual(other, each)));
  if (added.length > 0) spec.tolerations = [...given, ...added];
}

function refused({ metadata }: PodObject, why: string) {
  return forbidden(pods, metadata.name ?? '', why);
}
