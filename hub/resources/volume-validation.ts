import type {
  Container,
  DownwardAPIVolumeFile,
  KeyToPath,
  Volume,
  VolumeMount,
} from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { fieldReferenceErrors, resourceReferenceErrors } from './downward-validation.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notFoundField,
  notSupported,
  required,
} from './field-errors.ts';
import { labelNameErrors } from './names.ts';

const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];
const PROPAGATIONS = ['Bidirectional', 'HostToContainer', 'None'];
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const MOST_MODE = 0o777;

/** The types that we build on do not have it yet. */
interface Image {
  reference?: string;
  pullPolicy?: string;
}
export type ImageVolume = Volume & { readonly image?: Image };

type Names = ReadonlySet<string>;
type Source = NonNullable<NonNullable<Volume['projected']>['sources']>[number];

/** What is wrong with a pod's volumes. `containers` are the names of its containers. */
export function volumesErrors(volumes: readonly Volume[], field: string, containers: Names): FieldError[] {
  const names = new Set<string>();
  return volumes.flatMap((volume, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = volume.name
      ? labelNameErrors(volume.name).map((detail) => invalidValue(`${at}.name`, volume.name, detail))
      : [required(`${at}.name`)];
    if (volume.name && names.has(volume.name)) errors.push(duplicate(`${at}.name`, volume.name));
    names.add(volume.name);
    return [...errors, ...sourceErrors(volume, at, containers)];
  });
}

function sourceErrors(volume: Volume, field: string, containers: Names): FieldError[] {
  const sources = Object.entries(volume).filter(([key, value]) => key !== 'name' && value);
  const errors = sources
    .slice(1)
    .map(([key]) => forbiddenField(`${field}.${key}`, 'may not specify more than 1 volume type'));
  const { configMap, secret, downwardAPI, projected, persistentVolumeClaim, hostPath } = volume;
  if (configMap && !configMap.name) errors.push(required(`${field}.configMap.name`));
  if (secret && !secret.secretName) errors.push(required(`${field}.secret.secretName`));
  if (persistentVolumeClaim && !persistentVolumeClaim.claimName)
    errors.push(required(`${field}.persistentVolumeClaim.claimName`));
  const { image } = volume as ImageVolume;
  if (image) errors.push(...imageErrors(image, `${field}.image`));
  if (hostPath) errors.push(...hostPathErrors(hostPath, `${field}.hostPath`));
  errors.push(
    ...itemsErrors(configMap?.items, `${field}.configMap`),
    ...itemsErrors(secret?.items, `${field}.secret`),
    ...filesErrors(downwardAPI?.items, `${field}.downwardAPI`, containers),
    ...(projected?.sources ?? []).flatMap((source, index) =>
      projectedErrors(source, `${field}.projected.sources[${index}]`, containers),
    ),
  );
  for (const key of ['configMap', 'secret', 'downwardAPI', 'projected'] as const)
    errors.push(...modeErrors(volume[key]?.defaultMode, `${field}.${key}.defaultMode`));
  return errors;
}

function imageErrors({ reference, pullPolicy }: Image, field: string): FieldError[] {
  const missing = reference ? [] : [required(`${field}.reference`)];
  return [...missing, ...pullPolicyErrors(pullPolicy, `${field}.pullPolicy`)];
}

/** Of an image that a container runs, or that is a volume. */
export function pullPolicyErrors(policy: string | undefined, field: string): FieldError[] {
  return !policy || PULL_POLICIES.includes(policy) ? [] : [notSupported(field, policy, PULL_POLICIES)];
}

function projectedErrors(source: Source, field: string, containers: Names): FieldError[] {
  const { configMap, secret, downwardAPI, serviceAccountToken: token } = source;
  const errors: FieldError[] = [];
  if (configMap && !configMap.name) errors.push(required(`${field}.configMap.name`));
  if (secret && !secret.name) errors.push(required(`${field}.secret.name`));
  if (token) errors.push(...filePathErrors(token.path, `${field}.serviceAccountToken.path`));
  return [
    ...errors,
    ...itemsErrors(configMap?.items, `${field}.configMap`),
    ...itemsErrors(secret?.items, `${field}.secret`),
    ...filesErrors(downwardAPI?.items, `${field}.downwardAPI`, containers),
  ];
}

function itemsErrors(items: readonly KeyToPath[] | undefined, field: string): FieldError[] {
  return (items ?? []).flatMap(({ key, path, mode }, index) => {
    const at = `${field}.items[${index}]`;
    return [
      ...(key ? [] : [required(`${at}.key`)]),
      ...filePathErrors(path, `${at}.path`),
      ...modeErrors(mode, `${at}.mode`),
    ];
  });
}

function filesErrors(
  items: readonly DownwardAPIVolumeFile[] | undefined,
  field: string,
  containers: Names,
): FieldError[] {
  return (items ?? []).flatMap(({ path, mode, fieldRef, resourceFieldRef }, index) => {
    const at = `${field}.items[${index}]`;
    const errors = [...filePathErrors(path, `${at}.path`), ...modeErrors(mode, `${at}.mode`)];
    if (fieldRef) errors.push(...fieldReferenceErrors(fieldRef, `${at}.fieldRef`, 'file'));
    else if (resourceFieldRef)
      errors.push(...resourceReferenceErrors(resourceFieldRef, `${at}.resourceFieldRef`, 'file', containers));
    else errors.push(required(at, 'one of fieldRef and resourceFieldRef is required'));
    if (fieldRef && resourceFieldRef)
      errors.push(
        invalidValue(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'),
      );
    return errors;
  });
}

function modeErrors(mode: number | undefined, field: string): FieldError[] {
  if (mode === undefined || (mode >= 0 && mode <= MOST_MODE)) return [];
  return [invalidValue(field, mode, 'must be a number between 0 and 0777 (octal), both inclusive')];
}

/** A file of a volume. Names that begin with `..` are for what the volume is made with. */
function filePathErrors(path: string | undefined, field: string): FieldError[] {
  if (!path) return [required(field)];
  const errors = localPathErrors(path, field);
  if (errors.length > 0 || !path.startsWith('..')) return errors;
  return [invalidValue(field, path, "must not start with '..'")];
}

/** A path that must stay inside its volume. */
export function localPathErrors(path: string, field: string): FieldError[] {
  if (path.startsWith('/')) return [invalidValue(field, path, 'must be a relative path')];
  return path.split('/').includes('..') ? [invalidValue(field, path, "must not contain '..'")] : [];
}

function hostPathErrors({ path, type }: NonNullable<Volume['hostPath']>, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!path) errors.push(required(`${field}.path`));
  else if (path.split('/').includes('..'))
    errors.push(invalidValue(`${field}.path`, path, "must not contain '..'"));
  if (type !== undefined && !HOST_PATH_TYPES.includes(type))
    errors.push(notSupported(`${field}.type`, type, HOST_PATH_TYPES));
  return errors;
}

/** What is wrong with a container's mounts. `volumes` are the names of the pod's volumes. */
export function mountsErrors(
  { volumeMounts = [], securityContext }: Container,
  field: string,
  volumes: Names,
): FieldError[] {
  const paths = new Set<string>();
  return volumeMounts.flatMap((mount, index) => {
    const { name, mountPath } = mount;
    const at = `${field}[${index}]`;
    const errors: FieldError[] = [];
    if (!name) errors.push(required(`${at}.name`));
    else if (!volumes.has(name)) errors.push(notFoundField(`${at}.name`, name));
    if (!mountPath) errors.push(required(`${at}.mountPath`));
    else if (paths.has(mountPath)) errors.push(invalidValue(`${at}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
    const isPrivileged = securityContext?.privileged ?? false;
    return [
      ...errors,
      ...subPathErrors(mount, at),
      ...propagationErrors(mount.mountPropagation, `${at}.mountPropagation`, isPrivileged),
    ];
  });
}

function subPathErrors({ subPath, subPathExpr }: VolumeMount, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (subPath && subPathExpr)
    errors.push(
      invalidValue(`${field}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
    );
  for (const [key, path] of [
    ['subPath', subPath],
    ['subPathExpr', subPathExpr],
  ] as const)
    if (path) errors.push(...localPathErrors(path, `${field}.${key}`));
  return errors;
}

function propagationErrors(mode: string | undefined, field: string, isPrivileged: boolean): FieldError[] {
  if (mode === undefined) return [];
  if (!PROPAGATIONS.includes(mode)) return [notSupported(field, mode, PROPAGATIONS)];
  if (mode !== 'Bidirectional' || isPrivileged) return [];
  return [
    forbiddenField(field, 'Bidirectional mount propagation is available only to privileged containers'),
  ];
}
