import type {
  DownwardAPIVolumeFile,
  KeyToPath,
  Volume,
  VolumeProjection,
} from 'kubernetes-types/core/v1.d.ts';
import { configMapData, secretData } from './configuration.ts';
import { ConfigurationError } from './configuration-error.ts';
import { fileFieldValue, type Placement, resourceValue } from './downward.ts';
import type { Configuration, Pod } from './pod.ts';
import { audienceOf, tokenKey } from './token-requests.ts';

/* The files of volumes that this agent writes: configMap, secret, downwardAPI, and what puts several in one. Pure. */

export interface ProjectedFile {
  /** Relative to the volume; never outside of it. */
  readonly path: string;
  readonly content: Buffer;
  readonly mode: number;
  /** Whose it is, if not root's. */
  readonly owner?: number;
}

export interface ProjectionSources {
  readonly configuration: Configuration;
  readonly placement: Pick<Placement, 'allocatable'>;
  /** By `tokenKey`. */
  readonly tokens: ReadonlyMap<string, string>;
  /** Why there are not more. */
  readonly tokenProblem: string;
}

const DEFAULT_MODE = 0o644;
const TOKEN_MODE = 0o600;
/** What a group is given of files that only this agent writes. */
const GROUP_READS = 0o440;

/** Throws ConfigurationError for what is missing, and for sources that this agent does not know. */
export function projectedFiles(pod: Pod, volume: Volume, sources: ProjectionSources): ProjectedFile[] {
  const { configMap, secret, downwardAPI, projected } = volume;
  const mode = (configMap ?? secret ?? downwardAPI ?? projected)?.defaultMode ?? DEFAULT_MODE;
  const projections: readonly VolumeProjection[] = projected?.sources ?? [
    {
      ...(configMap && { configMap }),
      ...(secret && { secret: { ...secret, name: secret.secretName ?? '' } }),
      ...(downwardAPI && { downwardAPI }),
    },
  ];
  // Of two with one path the later is seen.
  const files = new Map(
    projections
      .flatMap((projection) => filesOf(pod, projection, mode, sources))
      .map((file) => [file.path, file]),
  );
  for (const path of files.keys()) refuseOutside(path);
  const isGroups = pod.spec.securityContext?.fsGroup !== undefined;
  return [...files.values()].map((file) => (isGroups ? { ...file, mode: file.mode | GROUP_READS } : file));
}

function filesOf(
  pod: Pod,
  projection: VolumeProjection,
  mode: number,
  sources: ProjectionSources,
): ProjectedFile[] {
  const { configMap, secret, downwardAPI, serviceAccountToken } = projection;
  const { configuration } = sources;
  if (configMap) {
    const data = configMapData(pod, configMap.name ?? '', configMap.optional, configuration);
    return filesOfData('config', data, configMap, mode);
  }
  if (secret) {
    const data = secretData(pod, secret.name ?? '', secret.optional, configuration);
    return filesOfData('secret', data, secret, mode);
  }
  if (downwardAPI) return (downwardAPI.items ?? []).map((item) => downwardFile(pod, item, mode, sources));
  if (serviceAccountToken) return [tokenFile(pod, serviceAccountToken, mode, sources)];
  const [kind = 'none'] = Object.keys(projection);
  throw new ConfigurationError(
    `projected source "${kind}" is not supported by this agent: ` +
      'use configMap, secret, downwardAPI or serviceAccountToken',
  );
}

function filesOfData(
  kind: 'config' | 'secret',
  data: Readonly<Record<string, Buffer>>,
  { items, optional }: { items?: KeyToPath[]; optional?: boolean },
  mode: number,
): ProjectedFile[] {
  if (!items) return Object.entries(data).map(([path, content]) => ({ path, content, mode }));
  return items.flatMap((item) => {
    const content = data[item.key];
    if (content) return [{ path: item.path, content, mode: item.mode ?? mode }];
    if (optional) return [];
    throw new ConfigurationError(`references non-existent ${kind} key: ${item.key}`);
  });
}

function downwardFile(
  pod: Pod,
  { path, mode: own, fieldRef, resourceFieldRef }: DownwardAPIVolumeFile,
  mode: number,
  { placement }: ProjectionSources,
): ProjectedFile {
  if (!fieldRef && !resourceFieldRef)
    throw new ConfigurationError(`file "${path}" has neither a fieldRef nor a resourceFieldRef`);
  const text = fieldRef
    ? fileFieldValue(pod, fieldRef)
    : resourceFieldRef && resourceValue(pod, undefined, resourceFieldRef, placement);
  return { path, content: Buffer.from(text ?? ''), mode: own ?? mode };
}

/** Only who is to read it may: the pod's one user, or its group, where it has them. */
function tokenFile(
  pod: Pod,
  token: NonNullable<VolumeProjection['serviceAccountToken']>,
  mode: number,
  { tokens, tokenProblem }: ProjectionSources,
): ProjectedFile {
  const content = tokens.get(tokenKey(token));
  if (content === undefined)
    throw new ConfigurationError(
      `there is no token ${audienceOf(token)}of service account "${pod.spec.serviceAccountName ?? ''}" on this device yet: ${tokenProblem}`,
    );
  const owner = onlyUserOf(pod);
  const isRestricted = owner !== undefined || pod.spec.securityContext?.fsGroup !== undefined;
  return {
    path: token.path,
    content: Buffer.from(content),
    mode: isRestricted ? TOKEN_MODE : mode,
    ...(owner !== undefined && { owner }),
  };
}

/** The user that all containers run as, where the pod says so and they agree. */
function onlyUserOf({ spec }: Pod): number | undefined {
  const users = [...spec.containers, ...(spec.initContainers ?? [])].map(
    ({ securityContext }) => securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
  );
  return users.every((user) => user === users[0]) ? users[0] : undefined;
}

function refuseOutside(path: string): void {
  const parts = path.split('/');
  if (path.startsWith('/') || parts.includes('..') || parts[0]?.startsWith('..'))
    throw new ConfigurationError(`path "${path}" leads out of the volume`);
}
