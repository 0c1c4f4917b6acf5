import type { Logger } from 'pino';
import type { Registry } from '../registry/registry.ts';
import { Scheduler } from '../scheduler/scheduler.ts';
import { startAgentReleaseController } from './agent-release/agent-release-controller.ts';
import type { AgentPackageSource } from './agent-release/missing-packages.ts';
import { type Sign, startCertificateController } from './certificates/certificate-controller.ts';
import { startClusterRoleAggregation } from './cluster-role-aggregation/cluster-role-aggregation.ts';
import { startConfigurationController } from './configuration-revision/configuration-controller.ts';
import type { ControllerContext, Running } from './controller.ts';
import { startCronJobController } from './cron-job/cron-job-controller.ts';
import { startCustomResourceController } from './custom-resources/custom-resource-controller.ts';
import { startDaemonSetController } from './daemon-set/daemon-set-controller.ts';
import { startDeploymentController } from './deployment/deployment-controller.ts';
import { startDisruptionController } from './disruption/disruption-controller.ts';
import { startEndpointSliceController } from './endpoint-slice/endpoint-slice-controller.ts';
import { startEventExpiry } from './event-expiry.ts';
import { EventRecorder } from './event-recorder.ts';
import { startGarbageCollector } from './garbage-collector/garbage-collector.ts';
import { type GitSourceOptions, startGitSourceController } from './git-source/git-source-controller.ts';
import { startJobController } from './job/job-controller.ts';
import { startNamespaceController } from './namespace/namespace-controller.ts';
import { startNodeHealthController } from './node-health/node-health-controller.ts';
import type { NodeLiveness } from './node-health/node-liveness.ts';
import { startRemovedNodesController } from './node-health/removed-nodes.ts';
import { startPodCollector } from './pod-collector/pod-collector.ts';
import { startReplicaSetController } from './replica-set/replica-set-controller.ts';
import { type QuotaUsage, startResourceQuotaController } from './resource-quota/resource-quota-controller.ts';
import { agentReleaseWorkloads } from './rollout/agent-release-workload.ts';
import { daemonSetWorkloads } from './rollout/daemon-set-workload.ts';
import { deploymentWorkloads } from './rollout/deployment-workload.ts';
import { type GateSources, startRolloutController } from './rollout/rollout-controller.ts';
import { startRootCertificatePublisher } from './root-certificate/root-certificate-publisher.ts';
import {
  startServiceAccountTokens,
  type TokenSecretsOptions,
} from './service-account-tokens/service-account-tokens.ts';
import { startTaintEvictionController } from './taint-eviction/taint-eviction-controller.ts';
import { startVolumeController } from './volume-binding/volume-controller.ts';

/** What the controllers of identities need of the hub's keys. */
export interface IdentityOptions extends TokenSecretsOptions {
  readonly sign: Sign;
}

export interface StartControllersOptions {
  readonly registry: Registry;
  readonly log: Logger;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** Which nodes are connected. Without it a node is as ready as its agent last said. */
  readonly liveness?: NodeLiveness;
  /** What ResourceQuotas limit, counted. Without it, they have no status. */
  readonly quotas?: QuotaUsage;
  /** `--node-monitor-grace-period`, 40 s by default. */
  readonly nodeMonitorGracePeriodMs?: number;
  /** Whom the gates of rollouts may ask. */
  readonly gates?: GateSources;
  /** Without it, nothing is signed and no token made. */
  readonly identities?: IdentityOptions;
  /** Without it, no repository is followed. */
  readonly git?: GitSourceOptions;
  /** Without it, no device is asked to run another version of the agent. */
  readonly packages?: AgentPackageSource;
}

const NODE_MONITOR_GRACE_PERIOD_MS = 40_000;

/** Starts every controller and the scheduler. They meet in the registry only: each could as well run alone. */
export function startControllers({
  registry,
  log,
  now = Date.now,
  liveness,
  quotas,
  nodeMonitorGracePeriodMs: gracePeriodMs = NODE_MONITOR_GRACE_PERIOD_MS,
  gates,
  identities,
  git,
  packages,
}: StartControllersOptions): Running {
  const events = new EventRecorder({ registry, log, now });
  const context: ControllerContext = { registry, log, now, events };
  const running: Running[] = [
    startNamespaceController(context),
    startCustomResourceController(context),
    startNodeHealthController(context, { liveness, gracePeriodMs }),
    startRemovedNodesController(context),
    startTaintEvictionController(context),
    startDeploymentController(context),
    startReplicaSetController(context),
    startDaemonSetController(context),
    startRolloutController(context, daemonSetWorkloads, gates),
    startRolloutController(context, deploymentWorkloads, gates),
    startConfigurationController(context, daemonSetWorkloads),
    startConfigurationController(context, deploymentWorkloads),
    startJobController(context),
    startCronJobController(context),
    new Scheduler({
      registry,
      log: log.child({ part: 'scheduler' }),
      now,
      record: (about, text) => events.record('default-scheduler', about, text),
    }),
    ...(quotas ? [startResourceQuotaController(context, quotas)] : []),
    startVolumeController(context),
    startPodCollector(context),
    startDisruptionController(context),
    startEndpointSliceController(context),
    startGarbageCollector(context),
    startEventExpiry(context),
    startClusterRoleAggregation(context),
    ...(packages ? startAgentReleases(context, packages, gates) : []),
    ...(git ? [startGitSourceController(context, git)] : []),
    ...(identities ? startIdentityControllers(context, identities) : []),
  ];
  return {
    stop: async () => {
      await Promise.all(running.map((each) => each.stop()));
      await events.stop();
    },
  };
}

function startAgentReleases(
  context: ControllerContext,
  packages: AgentPackageSource,
  gates: GateSources | undefined,
): Running[] {
  return [
    startAgentReleaseController(context, packages),
    startRolloutController(context, agentReleaseWorkloads(packages), gates),
  ];
}

function startIdentityControllers(context: ControllerContext, options: IdentityOptions): Running[] {
  return [
    startRootCertificatePublisher(context, options.rootCertificate),
    startServiceAccountTokens(context, options),
    startCertificateController(context, options.sign),
  ];
}
