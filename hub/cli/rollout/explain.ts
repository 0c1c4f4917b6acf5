import type { DeviceUpdateObject } from '../../fleet/device-update.ts';
import type { DaemonSetObject, NodeObject } from '../../resources/typed.ts';
import type { Call, Command } from '../command.ts';
import { findNode } from '../node/find-nodes.ts';
import { dataText } from '../print.ts';
import { type Explanation, explainDevice } from './explain-device.ts';
import {
  daemonSetsPath,
  deviceUpdatesPath,
  listRollouts,
  noDaemonSet,
  workloadName,
} from './find-rollout.ts';

export const explain: Command = {
  arguments: 'DEVICE [ds/NAME]',
  takes: [1, 2],
  about:
    'the one reason why a device has the newest revision, or not: of each of its rollouts, or of one DaemonSet',
  examples: ['press-17', 'press-17 ds/app', 'press-17 ds/app -o json'],
  outputs: ['json', 'yaml', 'wide'],
  run: async (call) => {
    const [device = '', given] = call.arguments;
    const node = await findNode(call.client, device);
    const workloads = given === undefined ? await workloadsOf(call, device) : [workloadName(given)];
    const answers = await Promise.all(workloads.map((workload) => answer(call, node, workload)));
    const { output } = call;
    if (output === 'json' || output === 'yaml') call.print(dataText(output, given ? answers[0] : answers));
    else for (const { message } of answers) call.print(`${device} ${message}`);
    return undefined;
  },
};

interface Answer extends Explanation {
  readonly device: string;
  readonly workload: string;
  readonly rollout?: string;
  readonly revision?: number;
}

/** The DaemonSets that have a row of this device. */
async function workloadsOf({ client, namespace }: Call, device: string): Promise<readonly string[]> {
  const selector = encodeURIComponent(`spec.node=${device}`);
  const path = `${deviceUpdatesPath(namespace)}?fieldSelector=${selector}`;
  const { items } = await client.call<{ items: DeviceUpdateObject[] }>('GET', path);
  if (items.length > 0) return items.map(({ spec }) => spec.workload).toSorted();
  throw new Error(
    `device "${device}" is in no rollout of namespace "${namespace}": name the DaemonSet to be told why (explain ${device} ds/NAME)`,
  );
}

async function answer({ client, namespace, now }: Call, node: NodeObject, workload: string): Promise<Answer> {
  const device = node.metadata.name ?? '';
  const name = encodeURIComponent(workload);
  const [set, found, [rollout]] = await Promise.all([
    client.find<DaemonSetObject>(`${daemonSetsPath(namespace)}/${name}`),
    client.find<DeviceUpdateObject>(`${deviceUpdatesPath(namespace)}/${name}.${encodeURIComponent(device)}`),
    listRollouts(client, namespace, workload),
  ]);
  if (!set) throw await noDaemonSet(client, namespace, workload);
  const explanation = explainDevice({ node, set, rollout, row: found?.spec, nowMs: now });
  return {
    device,
    workload,
    ...(rollout && { rollout: rollout.metadata.name ?? '', revision: rollout.spec.to.number }),
    ...explanation,
  };
}
