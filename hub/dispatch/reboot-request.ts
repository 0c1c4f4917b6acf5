import { REBOOT_ANNOTATION, rebootRequestOf } from '../../proto/node-reboot.ts';
import type { NamedObject } from '../../proto/snapshot.ts';
import type { KubeObject } from '../resources/object.ts';

/** What a snapshot says of a device's own Node. */
export interface OwnNode {
  readonly object: NamedObject;
  /** For how long it says so. */
  readonly leftMs: number;
}

/**
 * The Node as its device needs it: nothing but what somebody asks of the device itself. Undefined when nobody does, or no
 * longer: most snapshots have none. Pure.
 */
export function askedOfNode({ metadata }: KubeObject, nowMs: number): OwnNode | undefined {
  const request = rebootRequestOf({ metadata });
  const leftMs = request ? Date.parse(request.until) - nowMs : 0;
  if (leftMs <= 0) return undefined;
  const { name = '', uid, annotations } = metadata;
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      ...(uid && { uid }),
      annotations: { [REBOOT_ANNOTATION]: annotations?.[REBOOT_ANNOTATION] },
    },
  };
  return { object: node, leftMs };
}
