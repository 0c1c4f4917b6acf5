import { isDeepStrictEqual } from 'node:util';
import type { Container, PodSpec, Toleration } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { byController, defineResource, setDefault, specOf } from './define.ts';
import { forbiddenField, invalidValue } from './field-errors.ts';
import { claimsOf } from './local-path.ts';
import { isMirror } from './mirror-pod.ts';
import type { KubeObject } from './object.ts';
import { podColumns } from './pod-cells.ts';
import { ephemeralErrors, ephemeralUpdateErrors, podParts, resizeErrors } from './pod-parts.ts';
import { qualityOfService } from './pod-quality.ts';
import { setPodSpecDefaults, setRequestsFromLimits } from './pod-spec-defaults.ts';
import { referencesOf } from './pod-spec-references.ts';
import { validatePodSpec } from './pod-spec-validation.ts';
import { applyReadinessGates } from './readiness-gates.ts';
import type { PodObject } from './typed.ts';

const DEFAULT_TAINTS = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const FIXED_SPEC =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,' +
  '`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),' +
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** `default-container`s and the like are not decided here: only what every client may rely on. */
function setDefaults(object: KubeObject): void {
  const spec = specOf<PodSpec>(object);
  setPodSpecDefaults(spec);
  setRequestsFromLimits(spec);
  setDefault(spec, 'enableServiceLinks', true);
  if (!spec.serviceAccountName && !isMirror(object))
    spec.serviceAccountName = spec.serviceAccount = 'default';
  spec.tolerations = withDefaultTolerations(spec.tolerations ?? []);
}

/**
 * A device that is out of reach keeps its pods: other than in Kubernetes, where it is five minutes, the default
 * tolerations last for ever. Whoever wants a pod replaced says after how many seconds.
 */
function withDefaultTolerations(tolerations: Toleration[]): Toleration[] {
  const covers = ({ key, effect }: Toleration, taint: string) =>
    (!key || key === taint) && (!effect || effect === 'NoExecute');
  const missing = DEFAULT_TAINTS.filter((taint) => !tolerations.some((each) => covers(each, taint)));
  return [
    ...tolerations,
    ...missing.map((key): Toleration => ({ key, operator: 'Exists', effect: 'NoExecute' })),
  ];
}

function validate(object: KubeObject, old: KubeObject | undefined, part?: string): FieldError[] {
  const { spec } = object as PodObject;
  return [
    ...validatePodSpec(spec, 'spec'),
    ...ephemeralErrors(spec),
    ...(old ? changeErrors(spec, (old as PodObject).spec, part) : newErrors(spec)),
  ];
}

function newErrors({ ephemeralContainers = [] }: PodSpec): FieldError[] {
  return ephemeralContainers.length > 0
    ? [forbiddenField('spec.ephemeralContainers', 'cannot be set on create')]
    : [];
}

function changeErrors(spec: PodSpec, old: PodSpec, part: string | undefined): FieldError[] {
  if (part === 'ephemeralcontainers') return ephemeralUpdateErrors(spec, old);
  if (part === 'resize') return resizeErrors(spec, old);
  return updateErrors(spec, old);
}

function updateErrors(spec: PodSpec, old: PodSpec): FieldError[] {
  if (isDeepStrictEqual(spec, old)) return [];
  const errors: FieldError[] = [];
  const { activeDeadlineSeconds: deadline } = spec;
  const { activeDeadlineSeconds: oldDeadline } = old;
  if (oldDeadline !== undefined && (deadline === undefined || deadline > oldDeadline))
    errors.push(
      invalidValue(
        'spec.activeDeadlineSeconds',
        deadline ?? null,
        'must be less than or equal to previous value',
      ),
    );
  const tolerations = new Set(spec.tolerations?.map(tolerationKey));
  const kept = (old.tolerations ?? []).every((each) => tolerations.has(tolerationKey(each)));
  if (!kept)
    errors.push(
      forbiddenField(
        'spec.tolerations',
        'existing toleration can not be modified except its tolerationSeconds',
      ),
    );
  if (!isDeepStrictEqual(fixedPart(spec, old), fixedPart(old, old)))
    errors.push(forbiddenField('spec', FIXED_SPEC));
  return errors;
}

/** The same for tolerations that differ at most in what may change. */
function tolerationKey({ key, operator, value, effect }: Toleration): string {
  return JSON.stringify([key, operator, value, effect]);
}

/** The spec without what may change. An unbound pod may be bound. */
function fixedPart(spec: PodSpec, old: PodSpec): object {
  const {
    activeDeadlineSeconds: _d,
    tolerations: _t,
    nodeName,
    terminationGracePeriodSeconds: grace,
    ...rest
  } = spec;
  const withoutImage = ({ image: _, ...container }: Container) => container;
  return {
    ...rest,
    containers: (spec.containers ?? []).map(withoutImage),
    initContainers: (spec.initContainers ?? []).map(withoutImage),
    nodeName: old.nodeName ? nodeName : undefined,
    grace:
      (old.terminationGracePeriodSeconds ?? 0) < 0 && grace === 1 ? old.terminationGracePeriodSeconds : grace,
  };
}

/** Nothing has to end where nothing runs. What a device runs by itself goes on without the object that shows it. */
function gracePeriodSeconds(object: KubeObject, requested: number | undefined): number {
  const { spec, status } = object as PodObject;
  if (isMirror(object) || !spec.nodeName || status?.phase === 'Succeeded' || status?.phase === 'Failed')
    return 0;
  const seconds = requested ?? spec.terminationGracePeriodSeconds ?? 0;
  return seconds < 0 ? 1 : seconds;
}

const references = (object: KubeObject, kind: 'configMaps' | 'secrets') =>
  referencesOf((object as PodObject).spec)[kind].map((name) => `${object.metadata.namespace}/${name}`);

export const pods = defineResource({
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Pod',
  hasStatus: true,
  subresources: [
    { name: 'binding', verbs: ['create'], kind: { group: '', version: 'v1', kind: 'Binding' } },
    { name: 'eviction', verbs: ['create'], kind: { group: 'policy', version: 'v1', kind: 'Eviction' } },
    { name: 'log', verbs: ['get'] },
    { name: 'exec', verbs: ['create', 'get'], kind: { group: '', version: 'v1', kind: 'PodExecOptions' } },
    {
      name: 'attach',
      verbs: ['create', 'get'],
      kind: { group: '', version: 'v1', kind: 'PodAttachOptions' },
    },
    {
      name: 'portforward',
      verbs: ['create', 'get'],
      kind: { group: '', version: 'v1', kind: 'PodPortForwardOptions' },
    },
  ],
  parts: podParts,
  prepareStatus: applyReadinessGates,
  setDefaults,
  prepareForCreate: (object) => {
    const { spec } = object as PodObject;
    object.status = {
      phase: 'Pending',
      qosClass: qualityOfService({ ...spec, containers: spec.containers ?? [] }),
    };
  },
  validate,
  gracePeriodSeconds,
  fieldSelectors: {
    'spec.nodeName': (object) => (object as PodObject).spec.nodeName ?? '',
    'spec.host': (object) => (object as PodObject).spec.nodeName ?? '',
    'spec.restartPolicy': (object) => (object as PodObject).spec.restartPolicy ?? '',
    'spec.schedulerName': (object) => (object as PodObject).spec.schedulerName ?? '',
    'spec.serviceAccountName': (object) => (object as PodObject).spec.serviceAccountName ?? '',
    'spec.hostNetwork': (object) => `${(object as PodObject).spec.hostNetwork ?? false}`,
    'status.phase': (object) => (object as PodObject).status?.phase ?? '',
    'status.podIP': (object) => (object as PodObject).status?.podIP ?? '',
    'status.podIPs': (object) => ((object as PodObject).status?.podIPs ?? []).map(({ ip }) => ip).join(','),
    'status.nominatedNodeName': (object) => (object as PodObject).status?.nominatedNodeName ?? '',
  },
  indexes: {
    'spec.nodeName': (object) => {
      const { nodeName } = (object as PodObject).spec;
      return nodeName ? [nodeName] : [];
    },
    controller: byController,
    label: ({ metadata: { namespace, labels } }) =>
      Object.entries(labels ?? {}).map(([key, value]) => `${namespace}/${key}=${value}`),
    configMap: (object) => references(object, 'configMaps'),
    secret: (object) => references(object, 'secrets'),
    claim: (object) => claimsOf(object as PodObject),
  },
  columns: podColumns,
});
