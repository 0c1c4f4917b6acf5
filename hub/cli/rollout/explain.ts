import type { DeviceUpdateObject } from '../../fleet/device-update.ts';
import type { RolloutObject } from '../../fleet/rollout.ts';
import type { DaemonSetObject, NodeObject } from '../../resources/typed.ts';
import type { Call, Command } from '../command.ts';
import { findNode } from '../node/find-nodes.ts';
import { dataText } from '../print.ts';
import { type Explanation, explainDevice } from './explain-device.ts';
import { deviceUpdatesPath, findPolicy, listRollouts, workloadMeant } from './find-rollout.ts';
import { mismatchOf, releaseMismatchOf } from './mismatch.ts';
import {
  findWorkload,
  nameInFleet,
  podsOf,
  policyOf,
  referenceText,
  versionsOf,
  type WorkloadObject,
  type WorkloadReference,
  workloadText,
} from './workload.ts';

export const explain: Command = {
  arguments: 'DEVICE [ds/NAME|deploy/NAME|ar/NAME]',
  takes: [1, 2],
  about:
    'the one reason why a device has the newest revision, or not: of each of its rollouts, or of one workload',
  examples: ['press-17', 'press-17 ds/app', 'press-17 ds/app -o json'],
  outputs: ['json', 'yaml', 'wide'],
  run: async (call) => {
    const [device = '', given] = call.arguments;
    const node = await findNode(call.client, device);
    const workloads = given === undefined ? await workloadsOf(call, device) : [workloadMeant(given)];
    const answers = await Promise.all(workloads.map((workload) => answer(call, node, workload)));
    const { output } = call;
    if (output === 'json' || output === 'yaml') call.print(dataText(output, given ? answers[0] : answers));
    else for (const { message } of answers) call.print(`${device} ${message}`);
    return undefined;
  },
};

interface Answer extends Explanation {
  readonly device: string;
  readonly kind: string;
  readonly workload: string;
  readonly rollout?: string;
  readonly revision?: number;
}

/** The workloads that have a row of this device. */
async function workloadsOf(
  { client, namespace }: Call,
  device: string,
): Promise<readonly WorkloadReference[]> {
  const selector = encodeURIComponent(`spec.node=${device}`);
  const path = `${deviceUpdatesPath(namespace)}?fieldSelector=${selector}`;
  const { items } = await client.call<{ items: DeviceUpdateObject[] }>('GET', path);
  const owners = items.flatMap(({ metadata }) => metadata.ownerReferences ?? []) as WorkloadReference[];
  if (owners.length > 0) return owners.toSorted((a, b) => referenceText(a).localeCompare(referenceText(b)));
  throw new Error(
    `device "${device}" is in no rollout of namespace "${namespace}": name the workload to be told why (explain ${device} ds/NAME)`,
  );
}

async function answer(call: Call, node: NodeObject, reference: WorkloadReference): Promise<Answer> {
  const { client, namespace, now } = call;
  const device = node.metadata.name ?? '';
  const row = `${encodeURIComponent(nameInFleet(reference))}.${encodeURIComponent(device)}`;
  const [workload, found, [rollout]] = await Promise.all([
    findWorkload(client, namespace, reference),
    client.find<DeviceUpdateObject>(`${deviceUpdatesPath(namespace)}/${row}`),
    listRollouts(client, namespace, reference),
  ]);
  const mismatch = await mismatchWith(call, node, reference, workload);
  const explanation = explainDevice({
    node,
    reference,
    workload,
    mismatch,
    missingPolicy: await missingPolicy(call, reference, workload, rollout),
    rollout,
    row: found?.spec,
    nowMs: now,
  });
  return {
    device,
    kind: reference.kind,
    workload: reference.name,
    ...(rollout && { rollout: rollout.metadata.name ?? '', revision: rollout.spec.to.number }),
    ...explanation,
  };
}

/** Why the device is none of the workload's; undefined when it is one. */
async function mismatchWith(
  call: Call,
  node: NodeObject,
  reference: WorkloadReference,
  workload: WorkloadObject,
): Promise<string | undefined> {
  switch (reference.kind) {
    case 'DaemonSet':
      return mismatchOf(workload as DaemonSetObject, node);
    case 'Deployment':
      return absence(call, node.metadata.name ?? '', reference, workload);
    case 'AgentRelease':
      return releaseMismatchOf(workload, node);
  }
}

/** The policy that the present template waits for: without it the hub makes no rollout. */
async function missingPolicy(
  { client, namespace }: Call,
  { kind }: WorkloadReference,
  workload: WorkloadObject,
  newest: RolloutObject | undefined,
): Promise<string | undefined> {
  const name = policyOf(workload);
  if (!name || (await findPolicy(client, namespace, name))) return undefined;
  const versions = await versionsOf(client, kind, workload);
  const isNew = newest ? versions[0]?.hash !== newest.spec.to.hash : versions.length > 1;
  return isNew ? name : undefined;
}

/** Where pods of a Deployment go is the scheduler's to say. */
async function absence(
  { client, namespace }: Call,
  device: string,
  reference: WorkloadReference,
  { spec }: WorkloadObject,
): Promise<string | undefined> {
  const pods = await podsOf(client, namespace, spec.selector, `spec.nodeName=${device}`);
  return pods.length > 0 ? undefined : `runs no pod of ${workloadText(reference)}`;
}
