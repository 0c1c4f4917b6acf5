import type { Container } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../../resources/object.ts';
import { jobs } from '../../resources/table-of-resources.ts';
import type { JobObject } from '../../resources/typed.ts';
import { controllerReference } from '../ownership.ts';
import { podFromTemplate } from '../pod-from-template.ts';
import { INDEX, INDEX_FAILURES, INDEX_IGNORED_FAILURES, TRACKING_FINALIZER } from './pod-outcome.ts';

/** A pod that a Job needs. */
export interface PodRequest {
  /** Of an indexed Job. */
  readonly index?: number;
  /** How often the index has failed before, where that is counted for each. */
  readonly failures?: { readonly counted: number; readonly ignored: number };
}

/** The pod, tracked, and told of its index by annotation, label, environment and hostname. Pure. */
export function jobPod(job: JobObject, { index, failures }: PodRequest): KubeObject {
  const { name = '', namespace } = job.metadata;
  const pod = podFromTemplate(job.spec.template, { namespace, reference: controllerReference(jobs, job) });
  const { metadata } = pod;
  metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), TRACKING_FINALIZER])];
  if (index === undefined) return pod;
  metadata.generateName = `${name}-${index}-`;
  metadata.labels = { ...metadata.labels, [INDEX]: `${index}` };
  metadata.annotations = {
    ...metadata.annotations,
    [INDEX]: `${index}`,
    ...(failures && { [INDEX_FAILURES]: `${failures.counted}` }),
    ...(failures?.ignored && { [INDEX_IGNORED_FAILURES]: `${failures.ignored}` }),
  };
  const { containers = [], initContainers } = job.spec.template.spec ?? {};
  const spec = {
    ...job.spec.template.spec,
    hostname: `${name}-${index}`,
    containers: containers.map(withIndex),
    ...(initContainers && { initContainers: initContainers.map(withIndex) }),
  };
  return { ...pod, spec };
}

const VARIABLE = 'JOB_COMPLETION_INDEX';

function withIndex(container: Container): Container {
  const { env = [] } = container;
  if (env.some(({ name }) => name === VARIABLE)) return container;
  const fieldPath = `metadata.labels['${INDEX}']`;
  return { ...container, env: [...env, { name: VARIABLE, valueFrom: { fieldRef: { fieldPath } } }] };
}
