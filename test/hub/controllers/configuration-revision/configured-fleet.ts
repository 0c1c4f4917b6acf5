import type { Test } from 'tap';
import { rolloutPolicies } from '../../../../hub/fleet/rollout-policy.ts';
import type { KubeObject } from '../../../../hub/resources/object.ts';
import { configMaps, events, pods, secrets } from '../../../../hub/resources/table-of-resources.ts';
import type { ConfigMapObject, EventObject, PodObject } from '../../../../hub/resources/typed.ts';
import { Cluster } from '../cluster.ts';
import { FleetCluster } from '../rollout/fleet-cluster.ts';

export const POD_SPEC = {
  volumes: [
    { name: 'app', configMap: { name: 'app' } },
    { name: 'db', secret: { secretName: 'db', optional: true } },
  ],
};

/** A fleet whose application reads ConfigMap `app` and Secret `db`. */
export class ConfiguredFleet {
  readonly cluster: Cluster;
  readonly fleet: FleetCluster;
  /** Devices reject pods that read one of these texts. */
  readonly bad = new Set<string>();

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.fleet = new FleetCluster(cluster);
  }

  static async start(test: Test): Promise<ConfiguredFleet> {
    const world = new ConfiguredFleet(await Cluster.start(test));
    test.teardown(world.runAgents());
    await world.createConfiguration();
    return world;
  }

  async createConfiguration(): Promise<void> {
    await this.cluster.create(configMaps, configMap('app', 'one'));
    await this.cluster.create(secrets, secret('db', 'one'));
  }

  runAgents(): () => void {
    return this.fleet.runAgents((pod) => (this.bad.has(this.read(pod) ?? '') ? 'reject' : 'accept'));
  }

  /** What the pod finds in ConfigMap `app`, or in the copy of it. */
  read(pod: PodObject): string | undefined {
    const name = pod.spec.volumes?.find(({ configMap }) => configMap)?.configMap?.name ?? '';
    return this.cluster.find<ConfigMapObject>(configMaps, name)?.data?.['text'];
  }

  /** What the pods that live read, each once. */
  get texts(): (string | undefined)[] {
    const live = this.cluster
      .list<PodObject>(pods, 'default')
      .filter(({ metadata }) => !metadata.deletionTimestamp);
    return [...new Set(live.map((pod) => this.read(pod)))].sort();
  }

  write(text: string): Promise<unknown> {
    return this.cluster.change(configMaps, 'app', (object) => {
      (object as ConfigMapObject).data = { text };
    });
  }

  setMode(configuration: 'live' | 'revisioned'): Promise<unknown> {
    return this.cluster.change(rolloutPolicies, 'careful', (object) => {
      object.spec = { ...(object.spec as object), configuration };
    });
  }

  /** The copies, by the name of what they are of. */
  copies(of: 'app' | 'db'): readonly KubeObject[] {
    const resource = of === 'app' ? configMaps : secrets;
    return this.cluster
      .list(resource, 'default')
      .filter(({ metadata }) => metadata.annotations?.['fleet.holdfast.dev/copy-of'] === of);
  }

  reasons(): string[] {
    return this.cluster
      .list<EventObject>(events, 'default')
      .filter(({ involvedObject }) => involvedObject.name === 'app')
      .map(({ reason, message }) => `${reason}: ${message}`);
  }
}

export function configMap(name: string, text: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' }, data: { text } };
}

export function secret(name: string, text: string): KubeObject {
  const data = { text: Buffer.from(text).toString('base64') };
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' }, data };
}
