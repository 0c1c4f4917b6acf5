import { isDeepStrictEqual } from 'node:util';
import type { Container, EphemeralContainer, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import type { PartOf } from './definition.ts';
import { duplicate, forbiddenField, invalidValue, notFoundField } from './field-errors.ts';
import type { KubeObject } from './object.ts';
import { qualityOfService } from './pod-quality.ts';
import type { PodObject } from './typed.ts';

/* What of a running pod's spec can change through a subresource of its own. */

/** A container that somebody looks into a pod with is not part of what the pod is for. */
const NOT_EPHEMERAL = [
  'ports',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
  'resources',
  'resizePolicy',
] as const;
const RESIZABLE = ['cpu', 'memory'];

const specOf = (object: KubeObject): PodSpec => (object as PodObject).spec ?? {};

/** `pods/x/ephemeralcontainers` */
const ephemeralContainers: PartOf = (given, current) => ({
  ...current,
  spec: { ...specOf(current), ephemeralContainers: specOf(given).ephemeralContainers ?? [] },
});

/** `pods/x/resize`: the resources of containers, by their names. */
const resize: PartOf = (given, current) => {
  const sent = specOf(given);
  const resized = (containers: readonly Container[] | undefined, from: readonly Container[] = []) =>
    containers?.map((container) => {
      const { resources } = from.find(({ name }) => name === container.name) ?? container;
      return { ...container, resources: resources ?? {} };
    });
  const containers = resized(specOf(current).containers, sent.containers);
  const initContainers = resized(specOf(current).initContainers, sent.initContainers);
  return {
    ...current,
    spec: {
      ...specOf(current),
      ...(containers && { containers }),
      ...(initContainers && { initContainers }),
    },
  };
};

export const podParts = { ephemeralcontainers: ephemeralContainers, resize };

/** What is wrong with the containers that look into a pod. */
export function ephemeralErrors(spec: PodSpec): FieldError[] {
  const others = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name);
  const names = new Set(others);
  return (spec.ephemeralContainers ?? []).flatMap((container, index) => {
    const field = `spec.ephemeralContainers[${index}]`;
    const errors: FieldError[] = [];
    if (names.has(container.name)) errors.push(duplicate(`${field}.name`, container.name));
    names.add(container.name);
    const { targetContainerName: target } = container;
    if (target && !others.includes(target))
      errors.push(notFoundField(`${field}.targetContainerName`, target));
    for (const key of NOT_EPHEMERAL)
      if (isSet(container[key]))
        errors.push(forbiddenField(`${field}.${key}`, 'cannot be set for an Ephemeral Container'));
    for (const [at, mount] of (container.volumeMounts ?? []).entries())
      for (const key of ['subPath', 'subPathExpr'] as const)
        if (mount[key])
          errors.push(
            forbiddenField(`${field}.volumeMounts[${at}].${key}`, 'cannot be set for an Ephemeral Container'),
          );
    return errors;
  });
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && Object.keys(value).length > 0;
}

/** They can be added, but what ran once can not be made undone. */
export function ephemeralUpdateErrors(spec: PodSpec, old: PodSpec): FieldError[] {
  const now = new Map((spec.ephemeralContainers ?? []).map((each) => [each.name, each]));
  return (old.ephemeralContainers ?? []).flatMap((before: EphemeralContainer) => {
    const after = now.get(before.name);
    const refuse = (what: string) =>
      forbiddenField(
        'spec.ephemeralContainers',
        `existing ephemeral containers "${before.name}" may not be ${what}`,
      );
    if (!after) return [refuse('removed')];
    return isDeepStrictEqual(after, before) ? [] : [refuse('changed')];
  });
}

export function resizeErrors(spec: PodSpec, old: PodSpec): FieldError[] {
  const quality = (each: PodSpec) => qualityOfService({ ...each, containers: each.containers ?? [] });
  const errors: FieldError[] = [];
  if (quality(spec) !== quality(old))
    errors.push(invalidValue('spec', quality(spec), 'Pod QOS Class may not change as a result of resizing'));
  for (const list of ['containers', 'initContainers'] as const)
    for (const [index, container] of (spec[list] ?? []).entries()) {
      const before = old[list]?.[index];
      if (!before || isDeepStrictEqual(container.resources, before.resources)) continue;
      const field = `spec.${list}[${index}].resources`;
      if (list === 'initContainers' && container.restartPolicy !== 'Always')
        errors.push(forbiddenField(field, 'resources for non-sidecar init containers are immutable'));
      else errors.push(...resourceErrors(container, before, field));
    }
  return errors;
}

function resourceErrors(container: Container, before: Container, field: string): FieldError[] {
  return (['limits', 'requests'] as const).flatMap((part) => {
    const [now, then] = [container.resources?.[part] ?? {}, before.resources?.[part] ?? {}];
    const changed = [...new Set([...Object.keys(now), ...Object.keys(then)])].filter(
      (name) => now[name] !== then[name],
    );
    const errors: FieldError[] = [];
    if (changed.some((name) => !RESIZABLE.includes(name)))
      errors.push(forbiddenField(`${field}.${part}`, 'only cpu and memory resources are mutable'));
    if (changed.some((name) => RESIZABLE.includes(name) && now[name] === undefined))
      errors.push(forbiddenField(`${field}.${part}`, `resource ${part} cannot be removed`));
    const unasked = changed.find((name) => RESIZABLE.includes(name) && !restartsFor(container, name));
    if (unasked !== undefined) errors.push(forbiddenField(`${field}.${part}`, noResizeInPlace(unasked)));
    return errors;
  });
}

/** Whether whoever made the pod lets its container be started anew for it. */
function restartsFor({ resizePolicy }: Container, resource: string): boolean {
  return (
    resizePolicy?.some(
      ({ resourceName, restartPolicy }) => resourceName === resource && restartPolicy === 'RestartContainer',
    ) ?? false
  );
}

function noResizeInPlace(resource: string): string {
  return `${resource} of a running container cannot be changed in place here: only where its resizePolicy for ${resource} is RestartContainer`;
}
