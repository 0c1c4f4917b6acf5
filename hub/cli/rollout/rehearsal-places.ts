import type { DaemonSetObject, DeploymentObject } from '../../resources/typed.ts';
import { type ApiClient, STRATEGIC_PATCH } from '../api-client.ts';
import type { Rehearsal, RehearsalDevice } from './rehearsal-plan.ts';
import { podsOf, type WorkloadObject, workloadsPath } from './workload.ts';

type Status = NonNullable<DaemonSetObject['status']> & NonNullable<DeploymentObject['status']>;

/** Makes the policy and the workload on the rehearsal's own hub, and returns when its pods run where the real ones are. */
export async function comeUp(
  api: ApiClient,
  namespace: string,
  { reference, devices, policy, workload }: Rehearsal,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(devices.map((device) => taint(api, device)));
  await api.call('POST', `/apis/fleet.holdfast.dev/v1/namespaces/${namespace}/rolloutpolicies`, policy);
  const path = workloadsPath(namespace, reference.kind);
  await api.call('POST', path, workload);
  const until = (isSo: (status: Partial<Status>) => boolean) =>
    workloadIs(api, path, reference.name, isSo, signal);
  if (reference.kind === 'Deployment') {
    const all = podsOn(devices);
    await until(({ replicas = 0 }) => replicas >= all);
    await place(api, namespace, workload, devices);
  }
  // Those that are there: a flapping or lost one may stay out, and the rollout then tells of it.
  const there = podsOn(devices.filter(({ isDark }) => !isDark));
  await until(({ numberReady, readyReplicas }) => (numberReady ?? readyReplicas ?? 0) >= there);
}

function podsOn(devices: readonly RehearsalDevice[]): number {
  return devices.reduce((sum, { pods }) => sum + pods, 0);
}

async function taint(api: ApiClient, { name, taints }: RehearsalDevice): Promise<void> {
  if (taints.length === 0) return;
  const change = { spec: { taints } };
  await api.call('PATCH', `/api/v1/nodes/${name}`, change, { contentType: STRATEGIC_PATCH });
}

/** Each device gets as many of the pods as it has: a scheduler would find places of its own. */
async function place(
  api: ApiClient,
  namespace: string,
  { spec }: WorkloadObject,
  devices: readonly RehearsalDevice[],
): Promise<void> {
  const nodes = devices.flatMap(({ name, pods }) => Array.from({ length: pods }, () => name));
  const made = await podsOf(api, namespace, spec.selector, 'spec.nodeName=');
  await Promise.all(
    made.slice(0, nodes.length).map(({ metadata: { name = '' } }, index) => {
      const binding = { metadata: { name }, target: { kind: 'Node', name: nodes[index] } };
      return api.call('POST', `/api/v1/namespaces/${namespace}/pods/${name}/binding`, binding);
    }),
  );
}

async function workloadIs(
  api: ApiClient,
  path: string,
  name: string,
  isSo: (status: Partial<Status>) => boolean,
  signal: AbortSignal,
): Promise<void> {
  for await (const workload of api.follow<WorkloadObject>(path, name, signal))
    if (isSo((workload?.status ?? {}) as Partial<Status>)) return;
  signal.throwIfAborted();
}
