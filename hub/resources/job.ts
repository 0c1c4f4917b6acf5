import { isDeepStrictEqual } from 'node:util';
import type { JobSpec } from 'kubernetes-types/batch/v1.d.ts';
import type { PodSpec, PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import { ageColumn, column, nameColumn, templateColumns } from './cells.ts';
import { byController, defineResource, setDefault, specOf } from './define.ts';
import { immutable, invalidValue, required } from './field-errors.ts';
import { humanDuration } from './human-duration.ts';
import { validateJobSpec } from './job-spec-validation.ts';
import type { KubeObject } from './object.ts';
import { setPodSpecDefaults } from './pod-spec-defaults.ts';
import { matchesLabelSelector } from './selector.ts';
import { labelSelectorErrors, templateLabelErrors } from './template-validation.ts';
import { parseTime } from './time.ts';
import type { JobObject } from './typed.ts';

const BACKOFF_LIMIT = 6;
const NO_LIMIT = 2 ** 31 - 1;
/** Each with the name that it had before Kubernetes prefixed its labels. */
const UID_LABELS = ['batch.kubernetes.io/controller-uid', 'controller-uid'] as const;
const NAME_LABELS = ['batch.kubernetes.io/job-name', 'job-name'] as const;
/** What a Job promises its pods; the selector and the template are looked at by themselves. */
const FIXED = [
  'selector',
  'completionMode',
  'podFailurePolicy',
  'backoffLimitPerIndex',
  'managedBy',
  'successPolicy',
] as const;

function setDefaults(object: KubeObject): void {
  const spec = specOf<JobSpec>(object);
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  setDefault(spec, 'parallelism', 1);
  setDefault(spec, 'backoffLimit', spec.backoffLimitPerIndex === undefined ? BACKOFF_LIMIT : NO_LIMIT);
  setDefault(spec, 'completionMode', 'NonIndexed');
  setDefault(spec, 'suspend', false);
  setDefault(spec, 'manualSelector', false);
  setDefault(spec, 'podReplacementPolicy', spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed');
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    for (const condition of rule.onPodConditions ?? []) setDefault(condition, 'status', 'True');
  setLabelDefaults(object);
  if (spec.template?.spec) setPodSpecDefaults(spec.template.spec);
}

/** A Job has its template's labels unless it has others. */
function setLabelDefaults(object: KubeObject): void {
  const labels = (object as JobObject).spec.template?.metadata?.labels;
  if (labels && Object.keys(object.metadata.labels ?? {}).length === 0)
    object.metadata.labels = { ...labels };
}

function prepareForCreate(object: KubeObject): void {
  const { spec, metadata } = object as JobObject;
  object.status = {};
  if (!spec.manualSelector && spec.template) setGeneratedSelector(spec, metadata);
  setLabelDefaults(object);
}

/** A Job finds its pods by its own uid, unless somebody knows better. */
function setGeneratedSelector(spec: JobSpec, metadata: KubeObject['metadata']): void {
  const { uid = '', name = '' } = metadata;
  const labels = { ...spec.template.metadata?.labels };
  for (const label of NAME_LABELS) labels[label] ??= name;
  for (const label of UID_LABELS) labels[label] ??= uid;
  spec.template = { ...spec.template, metadata: { ...spec.template.metadata, labels } };
  spec.selector = { ...spec.selector, matchLabels: { [UID_LABELS[0]]: uid, ...spec.selector?.matchLabels } };
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const job = object as JobObject;
  return [
    ...(old ? [] : generatedErrors(job)),
    ...(job.spec.selector
      ? labelSelectorErrors(job.spec.selector, 'spec.selector')
      : [required('spec.selector')]),
    ...validateJobSpec(job.spec, 'spec'),
    ...(job.spec.selector ? templateLabelErrors(job.spec.selector, job.spec.template, 'spec.template') : []),
    ...(old ? updateErrors(job, old as JobObject) : []),
  ];
}

function generatedErrors({ spec, metadata }: JobObject): FieldError[] {
  if (spec.manualSelector || !spec.template) return [];
  const generated = Object.fromEntries([
    ...UID_LABELS.map((label) => [label, metadata.uid ?? '']),
    ...NAME_LABELS.map((label) => [label, metadata.name ?? '']),
  ]) as Record<string, string>;
  const labels = spec.template.metadata?.labels ?? {};
  const errors = Object.entries(generated)
    .filter(([label, value]) => labels[label] !== value)
    .map(([label, value]) =>
      invalidValue('spec.template.metadata.labels', labels, `must be '${value}' for the label ${label}`),
    );
  if (!matchesLabelSelector(spec.selector, generated))
    errors.push(invalidValue('spec.selector', spec.selector, '`selector` not auto-generated'));
  return errors;
}

function updateErrors({ spec, status }: JobObject, { spec: old }: JobObject): FieldError[] {
  const errors = FIXED.filter((field) => !isDeepStrictEqual(spec[field], old[field])).map((field) =>
    immutable(`spec.${field}`, spec[field] ?? null),
  );
  // Where a queue decides when a Job starts, it also decides where.
  const mayMove = old.suspend && !status?.startTime;
  const fixed = (template: PodTemplateSpec) => (mayMove ? withoutPlacement(template) : template);
  if (!isDeepStrictEqual(fixed(spec.template), fixed(old.template)))
    errors.push(immutable('spec.template', spec.template));
  return [...completionsErrors(spec, old), ...errors];
}

function withoutPlacement({ metadata, spec }: PodTemplateSpec = {}): object {
  const { annotations: _annotations, labels: _labels, ...keptMetadata } = metadata ?? {};
  const fixed: Partial<PodSpec> = { ...spec };
  for (const field of ['nodeSelector', 'tolerations', 'schedulingGates', 'affinity'] as const)
    delete fixed[field];
  const { nodeAffinity: _affinity, ...affinity } = spec?.affinity ?? {};
  return { metadata: keptMetadata, spec: { ...fixed, affinity } };
}

/** An indexed Job can grow and shrink, as long as all of its indexes run at once. */
function completionsErrors(spec: JobSpec, old: JobSpec): FieldError[] {
  const { completions, parallelism } = spec;
  if (completions === old.completions) return [];
  if (old.completionMode !== 'Indexed' || completions === undefined)
    return [immutable('spec.completions', completions ?? null)];
  return completions === parallelism && old.completions === old.parallelism
    ? []
    : [invalidValue('spec.completions', completions, 'can only be modified in tandem with spec.parallelism')];
}

const hasCondition = (object: KubeObject, type: string) =>
  (object as JobObject).status?.conditions?.some((each) => each.type === type && each.status === 'True');

function statusText(object: KubeObject): string {
  if (hasCondition(object, 'Complete')) return 'Complete';
  if (hasCondition(object, 'Failed')) return 'Failed';
  if (object.metadata.deletionTimestamp) return 'Terminating';
  const others = ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'];
  return others.find((type) => hasCondition(object, type)) ?? 'Running';
}

function completionsText(object: KubeObject): string {
  const { spec, status } = object as JobObject;
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText(object: KubeObject, nowMs: number): string {
  const { startTime, completionTime } = (object as JobObject).status ?? {};
  const startMs = parseTime(startTime as string | undefined);
  if (startMs === undefined) return '';
  return humanDuration((parseTime(completionTime as string | undefined) ?? nowMs) - startMs);
}

export const jobs = defineResource({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  plural: 'jobs',
  singular: 'job',
  categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.batch.v1.Job',
  hasStatus: true,
  setDefaults,
  prepareForCreate,
  validate,
  fieldSelectors: { 'status.successful': (object) => `${(object as JobObject).status?.succeeded ?? 0}` },
  indexes: { controller: byController },
  columns: [
    nameColumn,
    column('Status', 'Whether the job runs, and how it ended.', statusText),
    column('Completions', 'Number of pods that succeeded, of those that must.', completionsText),
    column('Duration', 'Time from the start to the end.', durationText),
    ageColumn,
    ...templateColumns((object) => (object as JobObject).spec),
  ],
});
