import type { PodSecurityContext, SecurityContext } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { forbiddenField, invalidValue, notSupported, required } from './field-errors.ts';
import { localPathErrors } from './volume-validation.ts';

const PROFILE_TYPES = ['Localhost', 'RuntimeDefault', 'Unconfined'];
const PROC_MOUNTS = ['Default', 'Unmasked'];
const KINDS = [
  { key: 'seccompProfile', name: 'seccomp' },
  { key: 'appArmorProfile', name: 'AppArmor' },
] as const;
const MOST_ID = 2147483647;

type Kind = (typeof KINDS)[number];
type Profile = NonNullable<SecurityContext['seccompProfile']>;

/** What a pod and a container say alike. */
type Shared = Pick<
  PodSecurityContext & SecurityContext,
  'runAsUser' | 'runAsGroup' | 'seccompProfile' | 'appArmorProfile'
>;

export function securityErrors(context: SecurityContext | undefined, field: string): FieldError[] {
  if (!context) return [];
  const errors = sharedErrors(context, field);
  const { privileged, allowPrivilegeEscalation, procMount } = context;
  if (procMount && !PROC_MOUNTS.includes(procMount))
    errors.push(notSupported(`${field}.procMount`, procMount, PROC_MOUNTS));
  if (privileged && allowPrivilegeEscalation === false)
    errors.push(
      invalidValue(field, '', 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'),
    );
  return errors;
}

export function podSecurityErrors(context: PodSecurityContext | undefined, field: string): FieldError[] {
  if (!context) return [];
  const groups = context.supplementalGroups ?? [];
  return [
    ...sharedErrors(context, field),
    ...idErrors(context.fsGroup, `${field}.fsGroup`),
    ...groups.flatMap((group, index) => idErrors(group, `${field}.supplementalGroups[${index}]`)),
  ];
}

function sharedErrors({ runAsUser, runAsGroup, ...profiles }: Shared, field: string): FieldError[] {
  return [
    ...idErrors(runAsUser, `${field}.runAsUser`),
    ...idErrors(runAsGroup, `${field}.runAsGroup`),
    ...KINDS.flatMap((kind) => profileErrors(profiles[kind.key], `${field}.${kind.key}`, kind)),
  ];
}

function idErrors(id: number | undefined, field: string): FieldError[] {
  if (id === undefined || (id >= 0 && id <= MOST_ID)) return [];
  return [invalidValue(field, id, `must be between 0 and ${MOST_ID}, inclusive`)];
}

function profileErrors(profile: Profile | undefined, field: string, { key, name }: Kind): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile } = profile;
  if (!type) return [required(`${field}.type`, `type is required when ${key} is set`)];
  if (!PROFILE_TYPES.includes(type)) return [notSupported(`${field}.type`, type, PROFILE_TYPES)];
  const at = `${field}.localhostProfile`;
  if (type === 'Localhost') {
    if (!localhostProfile?.trim()) return [required(at, `must be set when ${name} type is Localhost`)];
    return key === 'seccompProfile'
      ? localPathErrors(localhostProfile, at)
      : paddingErrors(localhostProfile, at);
  }
  if (localhostProfile === undefined) return [];
  const detail = `can only be set when ${name} type is Localhost`;
  return [key === 'seccompProfile' ? invalidValue(at, localhostProfile, detail) : forbiddenField(at, detail)];
}

/** What is loaded into the kernel has a name, and is no file. */
function paddingErrors(name: string, field: string): FieldError[] {
  return name === name.trim() ? [] : [invalidValue(field, name, 'must not be padded with whitespace')];
}
