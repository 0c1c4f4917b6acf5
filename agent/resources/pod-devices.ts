import { ownContainersOf, type Pod } from '../pod/pod.ts';

/* The devices that a pod has, as they are written on the labels of its containers. Pure. */

/** Ids by container and resource. */
export type PodDevices = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export const NO_DEVICES: PodDevices = {};

/** Whether there is anything to be given to it. */
export function asksForDevices(pod: Pod, given: ReadonlySet<string>): boolean {
  return ownContainersOf(pod).some(({ resources }) =>
    Object.keys(resources?.limits ?? {}).some((name) => given.has(name)),
  );
}

export function idsOf(devices: PodDevices): string[] {
  return Object.values(devices).flatMap((each) => Object.values(each).flat());
}

/** For a label; empty for none. */
export function formatDevices(devices: PodDevices): string {
  return Object.keys(devices).length > 0 ? JSON.stringify(devices) : '';
}

/** What a label says; none for what is no such label. */
export function readDevices(label: string): PodDevices {
  if (label === '') return NO_DEVICES;
  try {
    return JSON.parse(label) as PodDevices;
  } catch {
    return NO_DEVICES;
  }
}
