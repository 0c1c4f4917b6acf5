import { randomBytes } from 'node:crypto';
import { isRunning } from './pod-watch.ts';
import type { Stand } from './stand.ts';

export const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
export const COMMAND = ['sleep', '3600'];
/** Two images of the same content but for one file. */
export const IMAGES = ['holdfast.local/bench:1', 'holdfast.local/bench:2'] as const;

export function newName(): string {
  return `bench-${randomBytes(4).toString('hex')}`;
}

/** A Deployment of pods with one container each and a network of their own, which end at once. */
export function deployment(name: string, replicas: number) {
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
          containers: [{ name: 'main', image: IMAGES[0], imagePullPolicy: 'IfNotPresent', command: COMMAND }],
        },
      },
    },
  };
}

/** Resolves with when the watch told that so many pods run. */
export function running({ pods }: Stand, name: string, replicas: number): Promise<number> {
  return pods.until(
    name,
    `has ${replicas} running`,
    (all) => all.length === replicas && all.every(isRunning),
  );
}

/** Creates the Deployment and waits until its pods run. */
export async function deploy(stand: Stand, name: string, replicas: number): Promise<void> {
  await stand.api.call('POST', DEPLOYMENTS, deployment(name, replicas));
  await running(stand, name, replicas);
}

/** Deletes the Deployment and waits until its pods are gone, which they are when their containers are. */
export async function undeploy({ api, pods }: Stand, name: string): Promise<void> {
  await api.call('DELETE', `${DEPLOYMENTS}/${name}`);
  await pods.until(name, 'is gone', (all) => all.length === 0);
}
