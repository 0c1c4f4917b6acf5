import type { Container, EnvVar, PodSpec, Probe, Volume } from 'kubernetes-types/core/v1.d.ts';
import { setDefault } from './define.ts';
import type { ImageVolume } from './volume-validation.ts';

const FILE_MODE = 0o644;
const TOKEN_EXPIRY_SECONDS = 3600;
/** Keys of a volume that are not its source. */
const VOLUME_NAME = 'name';

/** What Kubernetes fills in, for pods and templates alike. Clients rely on it (`kubectl debug` even crashes without). */
export function setPodSpecDefaults(spec: PodSpec): void {
  setDefault(spec, 'restartPolicy', 'Always');
  setDefault(spec, 'dnsPolicy', 'ClusterFirst');
  setDefault(spec, 'securityContext', {});
  setDefault(spec, 'terminationGracePeriodSeconds', 30);
  setDefault(spec, 'schedulerName', 'default-scheduler');
  if (spec.serviceAccountName) spec.serviceAccount = spec.serviceAccountName;
  else if (spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    setContainerDefaults(container);
    if (spec.hostNetwork) for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
  }
  for (const container of spec.ephemeralContainers ?? []) setContainerDefaults(container);
  for (const volume of spec.volumes ?? []) setVolumeDefaults(volume);
}

function setContainerDefaults(container: Container): void {
  setDefault(container, 'imagePullPolicy', pullPolicyFor(container.image ?? ''));
  setDefault(container, 'terminationMessagePath', '/dev/termination-log');
  setDefault(container, 'terminationMessagePolicy', 'File');
  setDefault(container, 'resources', {});
  for (const port of container.ports ?? []) setDefault(port, 'protocol', 'TCP');
  for (const variable of container.env ?? []) setFieldRefDefault(variable.valueFrom);
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe])
    if (probe) setProbeDefaults(probe);
  for (const action of [container.lifecycle?.postStart, container.lifecycle?.preStop])
    if (action?.httpGet) setHttpDefaults(action.httpGet);
}

/** An image that may change under its name is looked up again each time. */
function pullPolicyFor(image: string): string {
  if (image.includes('@')) return 'IfNotPresent';
  const lastPart = image.slice(image.lastIndexOf('/') + 1);
  const tag = lastPart.includes(':') ? lastPart.slice(lastPart.indexOf(':') + 1) : 'latest';
  return tag === 'latest' ? 'Always' : 'IfNotPresent';
}

function setFieldRefDefault(source: EnvVar['valueFrom']): void {
  if (source?.fieldRef) setDefault(source.fieldRef, 'apiVersion', 'v1');
  if (source?.resourceFieldRef) setDefault(source.resourceFieldRef, 'divisor', '0');
}

function setProbeDefaults(probe: Probe): void {
  probe.timeoutSeconds ||= 1;
  probe.periodSeconds ||= 10;
  probe.successThreshold ||= 1;
  probe.failureThreshold ||= 3;
  if (probe.httpGet) setHttpDefaults(probe.httpGet);
  if (probe.grpc) setDefault(probe.grpc, 'service', '');
}

function setHttpDefaults(action: NonNullable<Probe['httpGet']>): void {
  action.path ||= '/';
  action.scheme ||= 'HTTP';
}

function setVolumeDefaults(volume: Volume): void {
  const hasSource = Object.entries(volume).some(([key, value]) => key !== VOLUME_NAME && value);
  if (!hasSource) volume.emptyDir = {};
  for (const source of [volume.secret, volume.configMap, volume.downwardAPI, volume.projected])
    if (source) setDefault(source, 'defaultMode', FILE_MODE);
  if (volume.hostPath) setDefault(volume.hostPath, 'type', '');
  const { image } = volume as ImageVolume;
  if (image) setDefault(image, 'pullPolicy', pullPolicyFor(image.reference ?? ''));
  for (const item of volume.downwardAPI?.items ?? [])
    if (item.fieldRef) setDefault(item.fieldRef, 'apiVersion', 'v1');
  for (const source of volume.projected?.sources ?? []) {
    if (source.serviceAccountToken)
      setDefault(source.serviceAccountToken, 'expirationSeconds', TOKEN_EXPIRY_SECONDS);
    for (const item of source.downwardAPI?.items ?? [])
      if (item.fieldRef) setDefault(item.fieldRef, 'apiVersion', 'v1');
  }
}

/** Only for pods: a limit without a request requests the limit. */
export function setRequestsFromLimits(spec: PodSpec): void {
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const { resources } = container;
    if (resources?.limits) resources.requests = { ...resources.limits, ...resources.requests };
  }
}
