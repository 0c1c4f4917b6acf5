import { entriesOf } from '../../proto/settings/settings.ts';
import { isPattern } from '../pod/path-pattern.ts';

/* Which devices the owner gives to pods, by resource, as the setting says it. Pure. */

/** Where a resource's devices come from. */
export type DeviceSource =
  /** Each node that the pattern names is one. */
  | { readonly type: 'pattern'; readonly pattern: string }
  /** These nodes are one device. */
  | { readonly type: 'group'; readonly paths: readonly string[] }
  /** A name of the Container Device Interface. */
  | { readonly type: 'cdi'; readonly name: string }
  /** Each GPU that the driver shows is one. */
  | { readonly type: 'gpus'; readonly pattern: string };

export type DeviceSources = ReadonlyMap<string, readonly DeviceSource[]>;

const RESOURCE =
  /^(?=.{1,253}\/)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/;
const CDI_NAME = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w-]*=[A-Za-z0-9][\w.:-]*$/;
const GPUS = 'gpus';
const GPU_NODES = '/dev/nvidia[0-9]*';
const IN_GROUP = '+';

export function parseDevices(text: string | undefined): DeviceSources {
  const sources = new Map<string, DeviceSource[]>();
  for (const [resource, value] of entriesOf(text ?? ''))
    sources.set(resource, [...(sources.get(resource) ?? []), sourceOf(value)]);
  return sources;
}

export function devicesProblem(text: string): string | undefined {
  for (const [resource, value] of entriesOf(text)) {
    if (!RESOURCE.test(resource) || /(^|\.)kubernetes\.io\//.test(resource))
      return `must name resources with a domain of your own, as holdfast.dev/camera (not ${resource})`;
    const paths = value.split(IN_GROUP);
    const arePaths = paths.every((path) => path.startsWith('/'));
    if (!arePaths && value !== GPUS && !CDI_NAME.test(value))
      return `must give each resource device nodes (/dev/video*, /dev/video0+/dev/media0), CDI names (vendor.com/class=name) or "gpus"`;
    if (arePaths && paths.length > 1 && paths.some(isPattern))
      return 'must name the nodes of a device that has several, without * or ?';
  }
  return undefined;
}

function sourceOf(value: string): DeviceSource {
  if (value === GPUS) return { type: 'gpus', pattern: GPU_NODES };
  if (!value.startsWith('/')) return { type: 'cdi', name: value };
  const paths = value.split(IN_GROUP);
  return paths.length > 1 ? { type: 'group', paths } : { type: 'pattern', pattern: value };
}
