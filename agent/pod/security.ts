import { posix } from 'node:path';
import type { ContainerSpec, SeccompProfile } from '../runtime/runtime.ts';
import { ConfigurationError } from './configuration-error.ts';
import type { Container, EphemeralContainer, Pod } from './pod.ts';

/*
 * Who a container is and what it may do: https://kubernetes.io/docs/tasks/configure-pod-container/security-context/
 * Where nothing is said, the engine's own seccomp and AppArmor profiles hold: that is Kubernetes' RuntimeDefault.
 */

/** Where profiles of the type Localhost are, below the agent's data. */
export const SECCOMP_FOLDER = 'seccomp';

/** Throws ConfigurationError. */
export function securityOf(
  pod: Pod,
  { securityContext }: Container | EphemeralContainer,
): Partial<ContainerSpec> {
  const user = securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  const group = securityContext?.runAsGroup ?? pod.spec.securityContext?.runAsGroup;
  const { privileged, readOnlyRootFilesystem, capabilities, allowPrivilegeEscalation, procMount } =
    securityContext ?? {};
  const seccomp = seccompOf(pod, securityContext);
  const labels = labelsOf(pod, securityContext);
  const appArmor = appArmorOf(pod, securityContext);
  return {
    ...(user !== undefined && { user: group === undefined ? `${user}` : `${user}:${group}` }),
    groups: groupsOf(pod),
    ...(privileged && { privileged }),
    ...(readOnlyRootFilesystem && { readOnlyRoot: readOnlyRootFilesystem }),
    ...(capabilities?.add && { addCapabilities: capabilities.add }),
    ...(capabilities?.drop && { dropCapabilities: capabilities.drop }),
    ...(allowPrivilegeEscalation === false && { noNewPrivileges: true }),
    ...(procMount === 'Unmasked' && { unmaskedProc: true }),
    ...(seccomp && { seccomp }),
    ...(appArmor && { appArmor }),
    ...(labels.length > 0 && { seLinux: labels }),
  };
}

/** What a pod sets in the kernel. It is set where the pod's network and shared memory are. */
export function sysctlsOf({ spec }: Pod): Pick<ContainerSpec, 'sysctls'> {
  const sysctls = spec.securityContext?.sysctls ?? [];
  if (sysctls.length === 0) return {};
  // Written either way, as sysctl itself takes them.
  return {
    sysctls: Object.fromEntries(sysctls.map(({ name, value }) => [name.replaceAll('/', '.'), value])),
  };
}

type Context = Container['securityContext'];

function seccompOf({ spec }: Pod, context: Context): SeccompProfile | undefined {
  const { type, localhostProfile = '' } =
    context?.seccompProfile ?? spec.securityContext?.seccompProfile ?? {};
  if (type === 'Unconfined') return { type: 'none' };
  if (type !== 'Localhost') return undefined;
  const path = posix.normalize(localhostProfile);
  if (path.startsWith('/') || path.startsWith('..'))
    throw new ConfigurationError(`seccomp profile "${localhostProfile}" leads out of the folder of profiles`);
  return { type: 'file', path };
}

/** The types that we build on do not have the field yet, which took the place of an annotation. */
function appArmorOf({ spec, metadata }: Pod, context: Context): string | undefined {
  type WithProfile = { appArmorProfile?: { type: string; localhostProfile?: string } } | undefined;
  const of = (from: unknown) => (from as WithProfile)?.appArmorProfile;
  const { type, localhostProfile } = of(context) ?? of(spec.securityContext) ?? {};
  if (type === 'Unconfined') return 'unconfined';
  if (type === 'Localhost' && !localhostProfile)
    throw new ConfigurationError(`pod ${metadata.name} names no AppArmor profile of this device`);
  return type === 'Localhost' ? localhostProfile : undefined;
}

function labelsOf({ spec }: Pod, context: Context): string[] {
  const options = context?.seLinuxOptions ?? spec.securityContext?.seLinuxOptions ?? {};
  return (['user', 'role', 'type', 'level'] as const).flatMap((key) =>
    options[key] ? [`${key}:${options[key]}`] : [],
  );
}

/** Those of the pod's volumes, and those that it asks for itself. */
function groupsOf({ spec }: Pod): number[] {
  const { fsGroup, supplementalGroups = [] } = spec.securityContext ?? {};
  return [...new Set([...(fsGroup === undefined ? [] : [fsGroup]), ...supplementalGroups])];
}
