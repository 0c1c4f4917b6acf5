/** By which programs know a probe from a visitor: Kubernetes' own name, and the version that the hub speaks. */
export const PROBE_USER_AGENT = 'kube-probe/1.34';
