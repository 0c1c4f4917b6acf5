import type { ContainerIdentity, Role } from './runtime.ts';

const PREFIX = 'holdfast.dev';

/** Every container carries its node's name under this label: several agents can share one engine. */
export const NODE_LABEL = `${PREFIX}/node`;

/** On the container that keeps a network there: the network's name. */
export const HOLDS_LABEL = `${PREFIX}/holds-network`;

const LABEL = {
  role: `${PREFIX}/role`,
  podUid: `${PREFIX}/pod.uid`,
  podNamespace: `${PREFIX}/pod.namespace`,
  podName: `${PREFIX}/pod.name`,
  container: `${PREFIX}/container`,
  attempt: `${PREFIX}/attempt`,
  specHash: `${PREFIX}/spec-hash`,
  crashes: `${PREFIX}/crashes`,
  graceSeconds: `${PREFIX}/grace-seconds`,
  infra: `${PREFIX}/infra`,
  podSinceMs: `${PREFIX}/pod.since`,
  podIp: `${PREFIX}/pod.ip`,
  podDevices: `${PREFIX}/pod.devices`,
} as const satisfies Record<keyof ContainerIdentity, string>;

export function labelsOf(node: string, identity: ContainerIdentity): Record<string, string> {
  const entries = Object.entries(LABEL).map(([field, label]) => [
    label,
    String(identity[field as keyof ContainerIdentity]),
  ]);
  return { [NODE_LABEL]: node, ...Object.fromEntries(entries) };
}

/** Undefined for a container that is not a pod's. */
export function identityOf(labels: Readonly<Record<string, string>>): ContainerIdentity | undefined {
  const text = (field: keyof ContainerIdentity) => labels[LABEL[field]] ?? '';
  if (!text('podUid')) return undefined;
  return {
    role: (text('role') === 'infra' ? 'infra' : 'container') satisfies Role,
    podUid: text('podUid'),
    podNamespace: text('podNamespace'),
    podName: text('podName'),
    container: text('container'),
    attempt: numberOf(text('attempt')),
    specHash: text('specHash'),
    crashes: numberOf(text('crashes')),
    graceSeconds: numberOf(text('graceSeconds')),
    infra: text('infra'),
    podSinceMs: numberOf(text('podSinceMs')),
    podIp: text('podIp'),
    podDevices: text('podDevices'),
  };
}

function numberOf(text: string): number {
  const number = Number.parseInt(text, 10);
  return Number.isSafeInteger(number) ? number : 0;
}
