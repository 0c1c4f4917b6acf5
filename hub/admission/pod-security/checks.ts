import type { Container, SeccompProfile, SecurityContext, Volume } from 'kubernetes-types/core/v1.d.ts';
import type { PodObject } from '../../resources/typed.ts';

/*
 * The Pod Security Standards, one function per control, in Kubernetes' order and words.
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */

type Spec = PodObject['spec'];

/** What a pod does that it may not. */
export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

type Check = (spec: Spec, annotations: Readonly<Record<string, string>>) => Violation | undefined;

const DEFAULT_CAPABILITIES: readonly string[] = [
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE'],
  ...['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
];
const SAFE_SYSCTLS: readonly string[] = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
];
const SAFE_SELINUX_TYPES: readonly (string | undefined)[] = [
  ...['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t', undefined],
];
const RESTRICTED_VOLUMES: readonly string[] = [
  ...['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'image'],
  ...['persistentVolumeClaim', 'projected', 'secret'],
];
const APPARMOR_ANNOTATION = 'container.apparmor.security.beta.kubernetes.io/';

function allContainers(spec: Spec): readonly Container[] {
  const { ephemeralContainers = [] } = spec as Spec & { ephemeralContainers?: Container[] };
  return [...(spec.initContainers ?? []), ...spec.containers, ...ephemeralContainers];
}

const quoted = (names: Iterable<string>) => [...names].map((name) => `"${name}"`).join(', ');
const plural = (word: string, names: readonly string[]) => `${word}${names.length === 1 ? '' : 's'}`;
const containersText = (names: readonly string[]) => `${plural('container', names)} ${quoted(names)}`;

function namesWhere(spec: Spec, holds: (security: SecurityContext, container: Container) => boolean) {
  return allContainers(spec)
    .filter((container) => holds(container.securityContext ?? {}, container))
    .map(({ name }) => name);
}

const hostNamespaces: Check = (spec) => {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field]);
  return used.length > 0
    ? { reason: 'host namespaces', detail: used.map((field) => `${field}=true`).join(', ') }
    : undefined;
};

const privileged: Check = (spec) => {
  const names = namesWhere(spec, (security) => security.privileged === true);
  const detail = `${containersText(names)} must not set securityContext.privileged=true`;
  return names.length > 0 ? { reason: 'privileged', detail } : undefined;
};

const addedCapabilities: Check = (spec) => {
  const forbidden = new Set<string>();
  const names = namesWhere(spec, ({ capabilities }) => {
    const found = (capabilities?.add ?? []).filter((each) => !DEFAULT_CAPABILITIES.includes(each));
    for (const each of found) forbidden.add(each);
    return found.length > 0;
  });
  const what = quoted([...forbidden].sort());
  const detail = `${containersText(names)} must not include ${what} in securityContext.capabilities.add`;
  return names.length > 0 ? { reason: 'non-default capabilities', detail } : undefined;
};

const hostPathVolumes: Check = ({ volumes = [] }) => {
  const names = volumes.filter(({ hostPath }) => hostPath).map(({ name }) => name);
  return names.length > 0
    ? { reason: 'hostPath volumes', detail: `${plural('volume', names)} ${quoted(names)}` }
    : undefined;
};

const hostPorts: Check = (spec) => {
  const ports = new Set<number>();
  const names = namesWhere(spec, (_, container) => {
    const used = (container.ports ?? []).flatMap(({ hostPort }) => hostPort || []);
    for (const port of used) ports.add(port);
    return used.length > 0;
  });
  const uses = names.length === 1 ? 'uses' : 'use';
  const word = ports.size === 1 ? 'hostPort' : 'hostPorts';
  const list = [...ports].sort((a, b) => a - b).join(', ');
  return names.length > 0
    ? { reason: 'hostPort', detail: `${containersText(names)} ${uses} ${word} ${list}` }
    : undefined;
};

const appArmor: Check = (spec, annotations) => {
  const bad = Object.entries(annotations)
    .filter(([key]) => key.startsWith(APPARMOR_ANNOTATION))
    .filter(([, value]) => value !== '' && value !== 'runtime/default' && !value.startsWith('localhost/'))
    .map(([key, value]) => `${key}="${value}"`);
  const unconfined = namesWhere(spec, (security) => appArmorType(security) === 'Unconfined');
  const found = [
    ...(appArmorType(spec.securityContext ?? {}) === 'Unconfined' ? ['pod'] : []),
    ...(unconfined.length > 0 ? [containersText(unconfined)] : []),
  ].map((who) => `${who} must not set AppArmor profile type to "Unconfined"`);
  const details = [...bad, ...found];
  return details.length > 0
    ? { reason: `forbidden AppArmor ${plural('profile', details)}`, detail: details.join(', ') }
    : undefined;
};

function appArmorType(security: object): string | undefined {
  return (security as { appArmorProfile?: { type: string } }).appArmorProfile?.type;
}

const seLinux: Check = (spec) => {
  const all = [spec.securityContext, ...allContainers(spec).map(({ securityContext }) => securityContext)];
  const options = all.flatMap((each) => each?.seLinuxOptions ?? []);
  const types = options
    .filter(({ type }) => !SAFE_SELINUX_TYPES.includes(type))
    .map(({ type }) => type ?? '');
  const details = [
    ...(types.length > 0 ? [`type ${quoted(new Set(types))}`] : []),
    ...(options.some(({ user }) => user) ? ['user may not be set'] : []),
    ...(options.some(({ role }) => role) ? ['role may not be set'] : []),
  ];
  return details.length > 0 ? { reason: 'seLinuxOptions', detail: details.join('; ') } : undefined;
};

const procMount: Check = (spec) => {
  const names = namesWhere(spec, ({ procMount: mount }) => mount !== undefined && mount !== 'Default');
  const detail = `${containersText(names)} must not set securityContext.procMount to "Unmasked"`;
  return names.length > 0 ? { reason: 'procMount', detail } : undefined;
};

const seccompBaseline: Check = (spec) => {
  const isBad = (profile: SeccompProfile | undefined) => profile?.type === 'Unconfined';
  const names = namesWhere(spec, ({ seccompProfile }) => isBad(seccompProfile));
  const who = [
    ...(isBad(spec.securityContext?.seccompProfile) ? ['pod'] : []),
    ...(names.length > 0 ? [containersText(names)] : []),
  ];
  const detail = `${who.join(' and ')} must not set securityContext.seccompProfile.type to "Unconfined"`;
  return who.length > 0 ? { reason: 'seccompProfile', detail } : undefined;
};

const sysctls: Check = ({ securityContext }) => {
  const found = (securityContext?.sysctls ?? []).map(({ name }) => name);
  const forbidden = found.filter((name) => !SAFE_SYSCTLS.includes(name));
  return forbidden.length > 0 ? { reason: 'forbidden sysctls', detail: forbidden.join(', ') } : undefined;
};

const windowsHostProcess: Check = (spec) => {
  const names = namesWhere(spec, ({ windowsOptions }) => isHostProcess(windowsOptions));
  const who = [
    ...(isHostProcess(spec.securityContext?.windowsOptions) ? ['pod'] : []),
    ...(names.length > 0 ? [containersText(names)] : []),
  ];
  const detail = `${who.join(' and ')} must not set securityContext.windowsOptions.hostProcess=true`;
  return who.length > 0 ? { reason: 'hostProcess', detail } : undefined;
};

function isHostProcess(options: object | undefined): boolean {
  return (options as { hostProcess?: boolean } | undefined)?.hostProcess === true;
}

const restrictedVolumes: Check = ({ volumes = [] }) => {
  const typeOf = (volume: Volume) => Object.keys(volume).find((key) => key !== 'name') ?? 'emptyDir';
  const bad = volumes.filter((volume) => !RESTRICTED_VOLUMES.includes(typeOf(volume)));
  const names = bad.map(({ name }) => name);
  const types = [...new Set(bad.map(typeOf))].sort();
  const verb = names.length === 1 ? 'uses' : 'use';
  const detail = `${plural('volume', names)} ${quoted(names)} ${verb} restricted volume ${plural('type', types)} ${quoted(types)}`;
  return names.length > 0 ? { reason: 'restricted volume types', detail } : undefined;
};

const privilegeEscalation: Check = (spec) => {
  const names = namesWhere(spec, ({ allowPrivilegeEscalation }) => allowPrivilegeEscalation !== false);
  const detail = `${containersText(names)} must set securityContext.allowPrivilegeEscalation=false`;
  return names.length > 0 ? { reason: 'allowPrivilegeEscalation != false', detail } : undefined;
};

const runAsNonRoot: Check = (spec) => {
  const pod = spec.securityContext?.runAsNonRoot;
  const explicit = namesWhere(spec, (security) => security.runAsNonRoot === false);
  const silent = pod === true ? [] : namesWhere(spec, (security) => security.runAsNonRoot === undefined);
  const details = [
    ...(pod === false ? ['pod must not set securityContext.runAsNonRoot=false'] : []),
    ...(explicit.length > 0
      ? [`${containersText(explicit)} must not set securityContext.runAsNonRoot=false`]
      : []),
    ...(pod !== false && silent.length > 0
      ? [`pod or ${containersText(silent)} must set securityContext.runAsNonRoot=true`]
      : []),
  ];
  return details.length > 0 ? { reason: 'runAsNonRoot != true', detail: details.join(', ') } : undefined;
};

const runAsUser: Check = (spec) => {
  const names = namesWhere(spec, (security) => security.runAsUser === 0);
  const who = [
    ...(spec.securityContext?.runAsUser === 0 ? ['pod'] : []),
    ...(names.length > 0 ? [containersText(names)] : []),
  ];
  return who.length > 0
    ? { reason: 'runAsUser=0', detail: `${who.join(' and ')} must not set runAsUser=0` }
    : undefined;
};

const seccompRestricted: Check = (spec) => {
  const isGood = (profile: SeccompProfile | undefined) =>
    profile?.type === 'RuntimeDefault' || profile?.type === 'Localhost';
  const pod = spec.securityContext?.seccompProfile;
  const bad = namesWhere(
    spec,
    ({ seccompProfile }) => seccompProfile !== undefined && !isGood(seccompProfile),
  );
  const silent = isGood(pod) ? [] : namesWhere(spec, ({ seccompProfile }) => seccompProfile === undefined);
  const podIsBad = pod !== undefined && !isGood(pod);
  const wanted = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
  const details = [
    ...(podIsBad ? [`pod ${wanted}`] : []),
    ...(bad.length > 0 ? [`${containersText(bad)} ${wanted}`] : []),
    ...(!podIsBad && silent.length > 0 ? [`pod or ${containersText(silent)} ${wanted}`] : []),
  ];
  return details.length > 0 ? { reason: 'seccompProfile', detail: details.join(', ') } : undefined;
};

const capabilitiesRestricted: Check = (spec) => {
  const keeping = namesWhere(spec, ({ capabilities }) => !capabilities?.drop?.includes('ALL'));
  const added = new Set<string>();
  const adding = namesWhere(spec, ({ capabilities }) => {
    const found = (capabilities?.add ?? []).filter((each) => each !== 'NET_BIND_SERVICE');
    for (const each of found) added.add(each);
    return found.length > 0;
  });
  const what = quoted([...added].sort());
  const details = [
    ...(keeping.length > 0
      ? [`${containersText(keeping)} must set securityContext.capabilities.drop=["ALL"]`]
      : []),
    ...(adding.length > 0
      ? [`${containersText(adding)} must not include ${what} in securityContext.capabilities.add`]
      : []),
  ];
  return details.length > 0 ? { reason: 'unrestricted capabilities', detail: details.join('; ') } : undefined;
};

/** What nobody but the privileged may do. */
export const BASELINE: readonly Check[] = [
  ...[addedCapabilities, appArmor, hostNamespaces, hostPathVolumes, hostPorts, privileged, procMount],
  ...[seLinux, seccompBaseline, sysctls, windowsHostProcess],
];

/** The rules of good practice; what is stricter stands in the place of its baseline. */
export const RESTRICTED: readonly Check[] = [
  ...BASELINE.filter((check) => check !== addedCapabilities && check !== seccompBaseline),
  ...[
    privilegeEscalation,
    capabilitiesRestricted,
    restrictedVolumes,
    runAsNonRoot,
    runAsUser,
    seccompRestricted,
  ],
];
