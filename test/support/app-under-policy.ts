/* The workload and the policy that tests of one device change. */

/** A RolloutPolicy that decides within seconds; `spec` is laid over it. */
export function quickPolicy(spec: object = {}, name = 'careful'): object {
  return {
    apiVersion: 'fleet.holdfast.dev/v1',
    kind: 'RolloutPolicy',
    metadata: { name, namespace: 'default' },
    spec: {
      gates: { health: { minHealthy: '1s', maxRestarts: 0, minAttempted: 1 } },
      deadline: { perDeviceApply: '8s' },
      ...spec,
    },
  };
}

/** The DaemonSet `app` of one container under that policy. */
export function appUnderPolicy(
  container: object,
  more: { volumes?: object[]; policy?: string } = {},
): object {
  const { policy = 'careful', volumes } = more;
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: {
      name: 'app',
      namespace: 'default',
      annotations: { 'fleet.holdfast.dev/rollout-policy': policy },
    },
    spec: {
      selector: { matchLabels: { app: 'app' } },
      template: {
        metadata: { labels: { app: 'app' } },
        spec: {
          terminationGracePeriodSeconds: 2,
          ...(volumes && { volumes }),
          containers: [{ name: 'main', ...container }],
        },
      },
    },
  };
}
