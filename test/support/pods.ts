import type { Container, ContainerStatus, Pod, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import { appImage, WORK } from './images.ts';
import type { Stand } from './stand.ts';
import { until } from './until.ts';

/** A pod whose containers just work, but for what the test says of them. */
export function podOf(
  name: string,
  containers: Readonly<Record<string, Partial<Container>>>,
  spec: Partial<PodSpec> = {},
) {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 5,
      ...spec,
      containers: Object.entries(containers).map(([container, settings]) => ({
        name: container,
        image: appImage(1),
        command: ['sh', '-c', WORK],
        ...settings,
      })),
    },
  };
}

/** The command of a shell that runs the script. */
export const shell = (script: string) => ['sh', '-c', script];

/** What is applied at once: independent pods start together and are looked at one after the other. */
export const listOf = (...items: readonly object[]) => ({ apiVersion: 'v1', kind: 'List', items });

/** The pods of a stand, as an operator sees them. */
export class SeenPods {
  readonly #stand: Stand;

  constructor(stand: Stand) {
    this.#stand = stand;
  }

  async get(name: string): Promise<Pod> {
    return (await this.#stand.api.call('GET', `/api/v1/namespaces/default/pods/${name}`)) as Pod;
  }

  async container(name: string, container = 'main'): Promise<ContainerStatus | undefined> {
    const { status } = await this.get(name);
    return status?.containerStatuses?.find((each) => each.name === container);
  }

  async isReady(name: string): Promise<boolean> {
    const { status } = await this.get(name);
    return status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
  }

  ready(name: string): Promise<boolean> {
    return until(`pod ${name} is ready`, () => this.isReady(name));
  }

  /** Resolves with the container's status once it is as `check` wants it. */
  when(
    what: string,
    name: string,
    check: (status: ContainerStatus) => unknown,
    container = 'main',
  ): Promise<ContainerStatus> {
    return until(`${what} (pod ${name})`, async () => {
      const status = await this.container(name, container);
      return status && check(status) ? status : undefined;
    });
  }

  phase(name: string, phase: string): Promise<Pod> {
    return until(`pod ${name} is ${phase}`, async () => {
      const pod = await this.get(name);
      return pod.status?.phase === phase ? pod : undefined;
    });
  }

  /** The id of its container that runs. */
  async id(name: string, container = 'main', node = this.#stand.node): Promise<string> {
    return until(`container ${container} of pod ${name} runs`, async () => {
      const found = await this.#stand.engine.containers(node);
      return found.find((each) => each.pod === name && each.container === container)?.id;
    });
  }

  /** What a command in the pod's container prints. */
  async exec(name: string, container: string, ...command: string[]): Promise<string> {
    return this.#stand.engine.exec(await this.id(name, container), ...command);
  }

  /** Reasons of the events about the pod. */
  async events(name: string): Promise<string[]> {
    const { items } = (await this.#stand.api.call('GET', '/api/v1/namespaces/default/events')) as {
      items: { reason: string; involvedObject: { name: string } }[];
    };
    return items.filter(({ involvedObject }) => involvedObject.name === name).map(({ reason }) => reason);
  }
}
