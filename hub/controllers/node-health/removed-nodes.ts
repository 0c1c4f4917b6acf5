import { nodes, pods } from '../../resources/table-of-resources.ts';
import type { PodObject } from '../../resources/typed.ts';
import { type ControllerContext, type Running, startController, unlessGone } from '../controller.ts';

/** A Node may be deleted and created anew, and a hub that starts may hear of pods first. */
const QUARANTINE_MS = 40_000;

/** Removes the pods of Nodes that no longer exist: no agent is left that could tell that they have ended. */
export function startRemovedNodesController(
  context: ControllerContext,
  quarantineMs: number = QUARANTINE_MS,
): Running {
  const { registry } = context;
  const missingSince = new Map<string, number>();
  const isMissing = (name: string) => !registry.get(nodes, undefined, name);
  return startController(context, {
    name: 'removed-nodes',
    watches: [
      { resource: nodes, keys: ({ object }) => [object.metadata.name ?? ''] },
      {
        resource: pods,
        keys: ({ type, object }) => {
          const { nodeName } = (object as PodObject).spec;
          if (type === 'DELETED' || !nodeName || !isMissing(nodeName)) return [];
          return missingSince.has(nodeName) ? [] : [nodeName];
        },
      },
    ],
    sync: async (name) => {
      const there = registry.byIndex(pods, 'spec.nodeName', name);
      if (!isMissing(name) || there.length === 0) {
        missingSince.delete(name);
        return undefined;
      }
      const since = missingSince.get(name) ?? context.now();
      missingSince.set(name, since);
      const leftMs = since + quarantineMs - context.now();
      if (leftMs > 0) return leftMs;
      const gone = { gracePeriodSeconds: 0 };
      await Promise.all(
        there.map(({ metadata }) =>
          unlessGone(registry.delete(pods, metadata.namespace, metadata.name ?? '', gone)),
        ),
      );
      missingSince.delete(name);
      return undefined;
    },
  });
}
