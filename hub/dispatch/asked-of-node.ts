import { AGENT_RELEASE_ANNOTATION, agentReleaseOf } from '../../proto/agent-release.ts';
import { REBOOT_ANNOTATION, rebootRequestOf } from '../../proto/node-reboot.ts';
import type { NamedObject } from '../../proto/snapshot.ts';
import type { KubeObject } from '../resources/object.ts';

/** What a snapshot says of a device's own Node. */
export interface OwnNode {
  readonly object: NamedObject;
  /** For how long it says so; undefined: until somebody changes it. */
  readonly leftMs: number | undefined;
}

/** All that may be asked of a device itself. */
export const REQUESTS = [REBOOT_ANNOTATION, AGENT_RELEASE_ANNOTATION] as const;

/**
 * The Node as its device needs it: nothing but what somebody asks of the device itself. Undefined when nobody does, or no
 * longer: most snapshots have none. Pure.
 */
export function askedOfNode({ metadata }: KubeObject, nowMs: number): OwnNode | undefined {
  const { name = '', uid, annotations = {} } = metadata;
  const leftMs = rebootLeftMs({ metadata }, nowMs);
  const asked = {
    ...(leftMs !== undefined && { [REBOOT_ANNOTATION]: annotations[REBOOT_ANNOTATION] }),
    ...(agentReleaseOf({ metadata }) && {
      [AGENT_RELEASE_ANNOTATION]: annotations[AGENT_RELEASE_ANNOTATION],
    }),
  };
  if (Object.keys(asked).length === 0) return undefined;
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, ...(uid && { uid }), annotations: asked },
  };
  return { object: node, leftMs };
}

/** Undefined when nobody asks for one, or no longer. */
function rebootLeftMs(node: Pick<KubeObject, 'metadata'>, nowMs: number): number | undefined {
  const request = rebootRequestOf(node);
  const leftMs = request ? Date.parse(request.until) - nowMs : 0;
  return leftMs > 0 ? leftMs : undefined;
}
