import type { Reported } from './link/reporter.ts';
import type { NodeStatus } from './node/node-status.ts';
import type { ClaimedVolume, PodStatus } from './pod/pod.ts';
import type { Reconciler } from './reconcile/reconciler.ts';
import type { VolumeRemoval } from './reconcile/volume-removal.ts';
import type { DesiredState } from './state/desired-state.ts';
import type { StaticPods } from './static-pods/static-pods.ts';

export interface ReportsOptions {
  readonly node: string;
  readonly nodeStatus: NodeStatus;
  readonly desired: DesiredState;
  readonly reconciler: Reconciler;
  readonly staticPods: StaticPods;
  readonly volumes: VolumeRemoval;
}

/** The objects of this device, as the hub is told them. */
export class Reports {
  readonly #options: ReportsOptions;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /** Of pods nothing before the engine was asked: what the hub knows of them is better than a guess. */
  everything(): Reported[] {
    const { reconciler, volumes } = this.#options;
    if (!reconciler.hasLooked) return [this.node(), ...this.#notLookedAt()];
    const pods = [...reconciler.statuses()].map(([uid, status]) => this.pod(uid, status));
    return [this.node(), ...pods.filter((pod) => pod !== undefined), ...volumes.removed.map(reportedVolume)];
  }

  node(): Reported {
    const { node, nodeStatus } = this.#options;
    return { kind: 'Node', namespace: '', name: node, uid: '', status: nodeStatus.report() };
  }

  /** Undefined for a pod that the hub does not know of any more. */
  pod(uid: string, status: PodStatus | undefined): Reported | undefined {
    const pod = this.#options.desired.pods.get(uid);
    if (!pod) return undefined;
    const { namespace, name } = pod.metadata;
    const staticPod = status && this.#options.staticPods.get(uid);
    return { kind: 'Pod', namespace, name, uid, status, ...(staticPod && { staticPod }) };
  }

  /** That they are there is known of the device's own pods, and must be said: what is left out of everything is gone. */
  #notLookedAt(): Reported[] {
    return [...this.#options.desired.pods.keys()].flatMap((uid) => {
      const staticPod = this.#options.staticPods.get(uid);
      const reported = staticPod && this.pod(uid, undefined);
      return reported ? [{ ...reported, staticPod }] : [];
    });
  }
}

/** A volume that was removed. */
export function reportedVolume({ metadata: { name, uid } }: ClaimedVolume): Reported {
  return { kind: 'PersistentVolume', namespace: '', name, uid, status: undefined };
}
