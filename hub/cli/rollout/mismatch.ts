import { daemonTolerations, placementOn } from '../../controllers/daemon-set/placement.ts';
import { untoleratedTaint } from '../../resources/node-matching.ts';
import type { DaemonSetObject, NodeObject } from '../../resources/typed.ts';

/** What of the DaemonSet the node does not meet: follows the device's name. Undefined if it meets all. Pure. */
export function mismatchOf(set: DaemonSetObject, node: NodeObject): string | undefined {
  if (placementOn(set, node).shouldRun) return undefined;
  const of = `is not matched by DaemonSet ${set.metadata.name}`;
  const spec = set.spec.template.spec;
  const labels = node.metadata.labels ?? {};
  if (node.metadata.deletionTimestamp) return `${of}: its Node is being deleted`;
  if (spec?.nodeName && spec.nodeName !== node.metadata.name)
    return `${of}: the template is for node ${spec.nodeName} alone (nodeName)`;
  const selector = Object.entries(spec?.nodeSelector ?? {}).find(([key, value]) => labels[key] !== value);
  if (selector) {
    const [key, value] = selector;
    const found = labels[key] === undefined ? 'has no such label' : `has ${key}=${labels[key]}`;
    return `${of}: its nodeSelector asks for ${key}=${value}, the device ${found}`;
  }
  const taint = untoleratedTaint(node.spec.taints ?? [], spec && daemonTolerations(spec), [
    'NoSchedule',
    'NoExecute',
  ]);
  if (!taint) return `${of}: its labels do not meet the required node affinity`;
  const text = `${taint.key}${taint.value ? `=${taint.value}` : ''}:${taint.effect}`;
  return `${of}: the template does not tolerate the device's taint ${text}`;
}
