/** Below which the names of Services and pods are, on every device. */
export const CLUSTER_DOMAIN = 'cluster.local';
