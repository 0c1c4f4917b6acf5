import { type DeviceUpdateObject, deviceUpdates } from '../../../../hub/fleet/device-update.ts';
import { type RolloutObject, rollouts } from '../../../../hub/fleet/rollout.ts';
import { rolloutPolicies } from '../../../../hub/fleet/rollout-policy.ts';
import type { ResourceDefinition } from '../../../../hub/resources/definition.ts';
import { daemonSets, deployments, nodes, pods } from '../../../../hub/resources/table-of-resources.ts';
import type { DaemonSetObject, DeploymentObject, PodObject } from '../../../../hub/resources/typed.ts';
import { ACCEPTED_CONDITION, podUpdateOf, STAGED_CONDITION } from '../../../../proto/pod-update.ts';
import { type Cluster, template } from '../cluster.ts';

const POLICY = 'fleet.holdfast.dev/rollout-policy';

/** Short ways to do what an operator does. */
export class FleetCluster {
  readonly cluster: Cluster;
  #workload: ResourceDefinition = daemonSets;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  /** Nodes `n0`, `n1` …, a policy, and a DaemonSet `app` of image `app:1` that has come up everywhere. */
  async begin(count: number, policy: object, podSpec: object = {}): Promise<void> {
    await this.#addFleet(count, policy);
    await this.#createApp('DaemonSet', {}, podSpec);
    await this.cluster.until('it runs everywhere', () => this.running('app:1') === count);
  }

  /** The same with a Deployment, its pods where the scheduler put them. */
  async beginDeployment(
    count: number,
    replicas: number,
    policy: object,
    podSpec: object = {},
  ): Promise<void> {
    this.#workload = deployments;
    await this.#addFleet(count, policy);
    await this.#createApp('Deployment', { replicas }, podSpec);
    const bound = () => this.pods('app:1').filter(({ spec }) => spec.nodeName).length;
    await this.cluster.until('all its pods have a node', () => bound() === replicas);
  }

  async #addFleet(count: number, policy: object): Promise<void> {
    for (let index = 0; index < count; index += 1)
      await this.cluster.addNode(`n${index}`, { labels: { site: `s${index % 2}` } });
    await this.cluster.create(rolloutPolicies, {
      apiVersion: 'fleet.holdfast.dev/v1',
      kind: 'RolloutPolicy',
      metadata: { name: 'careful', namespace: 'default' },
      spec: policy,
    });
  }

  #createApp(kind: string, spec: object, podSpec: object): Promise<unknown> {
    return this.cluster.create(this.#workload, {
      apiVersion: 'apps/v1',
      kind,
      metadata: { name: 'app', namespace: 'default', annotations: { [POLICY]: 'careful' } },
      spec: {
        ...spec,
        selector: { matchLabels: { app: 'app' } },
        template: template('app', 'app:1', podSpec),
      },
    });
  }

  setImage(image: string): Promise<unknown> {
    return this.changeApp(({ spec }) => {
      const [container] = spec.template.spec?.containers ?? [];
      if (container) container.image = image;
    });
  }

  changeApp(change: (app: DaemonSetObject | DeploymentObject) => void): Promise<unknown> {
    return this.cluster.change(this.#workload, 'app', (object) => change(object as DeploymentObject));
  }

  /** Agents that decide on candidates as `takes` says; all other pods become ready. */
  runAgents(takes: (pod: PodObject) => 'accept' | 'reject' | 'nothing' = () => 'accept'): () => void {
    const { registry } = this.cluster;
    const said = new Set<string>();
    const stopOthers = this.cluster.runAgents(
      (pod) => podUpdateOf(pod)?.step !== 'stage' && takes(pod) === 'accept',
    );
    const stop = registry.watch(pods, {}, (event) => {
      if (event.type === 'SYNCED' || event.type === 'DELETED') return;
      const pod = event.object as PodObject;
      const update = podUpdateOf(pod);
      if (!update || pod.metadata.deletionTimestamp) return;
      const answer = takes(pod);
      const key = `${pod.metadata.uid} ${update.step} ${answer}`;
      if (said.has(key) || answer === 'nothing') return;
      said.add(key);
      const conditions = [{ type: STAGED_CONDITION, status: 'True', reason: 'Downloaded' }];
      if (update.step === 'apply') {
        const status = answer === 'accept' ? 'True' : 'False';
        const reason = answer === 'accept' ? 'Healthy' : 'Restarts';
        conditions.push({ type: ACCEPTED_CONDITION, status, reason });
      }
      void this.#say(pod, conditions);
    });
    return () => {
      stopOthers();
      stop();
    };
  }

  async #say(pod: PodObject, conditions: readonly { type: string }[]): Promise<void> {
    const types = conditions.map(({ type }) => type);
    const change = (object: PodObject) => {
      const others = (object.status?.conditions ?? []).filter(({ type }) => !types.includes(type));
      object.status = { ...object.status, conditions: [...others, ...conditions] as typeof others };
    };
    await this.cluster
      .change(pods, pod.metadata.name ?? '', (object) => change(object as PodObject), 'status')
      .catch(() => undefined); // it is gone
  }

  /** Has the agents look again at pods that they did nothing about. */
  async lookAgain(image: string): Promise<void> {
    for (const { metadata } of this.pods(image))
      await this.cluster.change(pods, metadata.name ?? '', (pod) => {
        pod.metadata.labels = { ...pod.metadata.labels, touched: 'yes' };
      });
  }

  /** Live pods of this image that no device has still to decide on. */
  running(image: string): number {
    return this.pods(image).length;
  }

  pods(image: string): readonly PodObject[] {
    return this.cluster
      .list<PodObject>(pods, 'default')
      .filter(({ metadata, spec }) => !metadata.deletionTimestamp && spec.containers[0]?.image === image);
  }

  rollout(name: string): RolloutObject {
    return this.cluster.get(rollouts, name);
  }

  async untilPhase(name: string, phase: string): Promise<RolloutObject> {
    const found = () => this.cluster.find<RolloutObject>(rollouts, name);
    await this.cluster.until(`${name} is ${phase}`, () => found()?.status?.phase === phase);
    return this.rollout(name);
  }

  row(node: string): DeviceUpdateObject {
    return this.cluster.get(deviceUpdates, `app.${node}`);
  }

  act(rollout: string, action: object): Promise<unknown> {
    return this.cluster.change(rollouts, rollout, (object) => {
      const { spec } = object as RolloutObject;
      Object.assign(spec, {
        actions: [...(spec.actions ?? []), { at: new Date().toISOString(), ...action }],
      });
    });
  }

  setReady(node: string, ready: 'True' | 'Unknown'): Promise<unknown> {
    return this.cluster.change(
      nodes,
      node,
      (object) => {
        const lastTransitionTime = new Date().toISOString();
        object.status = {
          ...(object.status as object),
          conditions: [{ type: 'Ready', status: ready, lastTransitionTime }],
        };
      },
      'status',
    );
  }
}
