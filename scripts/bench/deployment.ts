import { randomBytes } from 'node:crypto';
import { isRunning } from './pod-watch.ts';
import type { Stand } from './stand.ts';

export const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
export const COMMAND = ['sleep', '3600'];
/** Two images of the same content but for one file. */
export const IMAGES = ['holdfast.local/bench:1', 'holdfast.local/bench:2'] as const;

/** Of all pods. */
export const CONTAINER = {
  name: 'main',
  image: IMAGES[0],
  imagePullPolicy: 'IfNotPresent',
  command: COMMAND,
} as const;

export function newName(): string {
  return `bench-${randomBytes(4).toString('hex')}`;
}

/** What else pods have: of the container, and of the pod itself. */
export interface More {
  readonly container?: object;
  readonly pod?: object;
}

/** A Deployment of pods with one container each and a network of their own, which nobody waits for when they are deleted. */
export function deployment(name: string, replicas: number, { container, pod }: More = {}) {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ ...CONTAINER, ...container }],
          ...pod,
        },
      },
    },
  };
}

/** How long many pods may take in the worst case. */
const patienceMs = (count: number) => 60_000 + count * 2_000;

/** Resolves with when the watch told that so many pods run. */
export function running({ pods }: Stand, name: string, replicas: number): Promise<number> {
  return pods.until(
    name,
    `has ${replicas} running`,
    (all) => all.length === replicas && all.every(isRunning),
    patienceMs(replicas),
  );
}

/** Creates the Deployment and waits until its pods run. */
export async function deploy(stand: Stand, name: string, replicas: number, more: object = {}): Promise<void> {
  await stand.api.call('POST', DEPLOYMENTS, deployment(name, replicas, more));
  await running(stand, name, replicas);
}

/** Deletes the Deployment and waits until its pods are gone; with time to end, they are when their containers are. Resolves with when. */
export async function undeploy({ api, pods }: Stand, name: string): Promise<number> {
  const patience = patienceMs(pods.of(name).length);
  await api.call('DELETE', `${DEPLOYMENTS}/${name}`);
  return pods.until(name, 'is gone', (all) => all.length === 0, patience);
}
