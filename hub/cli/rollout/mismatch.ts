import { daemonTolerations, placementOn } from '../../controllers/daemon-set/placement.ts';
import { untoleratedTaint } from '../../resources/node-matching.ts';
import type { DaemonSetObject, NodeObject } from '../../resources/typed.ts';
import { asRelease, type WorkloadObject } from './workload.ts';

/** What of an AgentRelease the node does not meet: follows the device's name. Undefined if it meets all. Pure. */
export function releaseMismatchOf(workload: WorkloadObject, { metadata }: NodeObject): string | undefined {
  const { nodeSelector, devices } = asRelease(workload)?.spec ?? {};
  const { name = '', labels = {} } = metadata;
  const of = `is not one of AgentRelease ${workload.metadata.name}`;
  if (devices && !devices.includes(name)) return `${of}: it names others (spec.devices)`;
  const selector = unmet(nodeSelector, labels);
  return selector && `${of}: ${selector}`;
}

type Labels = Readonly<Record<string, string>>;

function unmet(nodeSelector: Labels | undefined, labels: Labels): string | undefined {
  const selector = Object.entries(nodeSelector ?? {}).find(([key, value]) => labels[key] !== value);
  if (!selector) return undefined;
  const [key, value] = selector;
  const found = labels[key] === undefined ? 'has no such label' : `has ${key}=${labels[key]}`;
  return `its nodeSelector asks for ${key}=${value}, the device ${found}`;
}

/** What of the DaemonSet the node does not meet: follows the device's name. Undefined if it meets all. Pure. */
export function mismatchOf(set: DaemonSetObject, node: NodeObject): string | undefined {
  if (placementOn(set, node).shouldRun) return undefined;
  const of = `is not matched by DaemonSet ${set.metadata.name}`;
  const spec = set.spec.template.spec;
  const labels = node.metadata.labels ?? {};
  if (node.metadata.deletionTimestamp) return `${of}: its Node is being deleted`;
  if (spec?.nodeName && spec.nodeName !== node.metadata.name)
    return `${of}: the template is for node ${spec.nodeName} alone (nodeName)`;
  const selector = unmet(spec?.nodeSelector, labels);
  if (selector) return `${of}: ${selector}`;
  const taint = untoleratedTaint(node.spec.taints ?? [], spec && daemonTolerations(spec), [
    'NoSchedule',
    'NoExecute',
  ]);
  if (!taint) return `${of}: its labels do not meet the required node affinity`;
  const text = `${taint.key}${taint.value ? `=${taint.value}` : ''}:${taint.effect}`;
  return `${of}: the template does not tolerate the device's taint ${text}`;
}
