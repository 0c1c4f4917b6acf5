import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { AdmissionRequest } from '../../registry/admission.ts';
import type { Registry } from '../../registry/registry.ts';
import { forbidden, invalid } from '../../resources/api-error.ts';
import { invalidValue } from '../../resources/field-errors.ts';
import type { KubeObject } from '../../resources/object.ts';
import { namespaces, pods } from '../../resources/table-of-resources.ts';
import type { PodObject } from '../../resources/typed.ts';
import { writes } from '../is-resource.ts';
import type { AdmissionPlugin } from '../plugin.ts';
import { labelProblems, policyOf, violationsOf } from './levels.ts';

/** Pods named in one warning about a namespace. */
const MAX_PODS_TOLD = 50;

/** The Pod Security Standards, as the labels of namespaces ask for them. */
export function podSecurity(registry: Registry): AdmissionPlugin {
  const labelsOf = ({ metadata: { namespace = '' } }: KubeObject) =>
    registry.get(namespaces, undefined, namespace)?.metadata.labels;
  return {
    check: (request) => {
      if (writes(request, namespaces)) checkNamespace(registry, request);
      else if (request.resource === pods) checkPod(request, labelsOf(request.object));
      else checkTemplate(request, labelsOf(request.object));
    },
  };
}

function checkPod(request: AdmissionRequest, labels: Record<string, string> | undefined): void {
  if (request.subresource !== undefined && request.subresource !== 'ephemeralcontainers') return;
  // What cannot change the verdict is not asked again: pods that run are not caught by a stricter label.
  if (request.operation === 'UPDATE' && request.subresource === undefined && sameSecurity(request)) return;
  const { spec, metadata } = request.object as PodObject;
  const found = (mode: 'enforce' | 'warn') =>
    violationsOf(policyOf(labels, mode).level, spec, metadata.annotations);
  const enforced = found('enforce');
  if (enforced)
    throw forbidden(
      pods,
      metadata.name ?? '',
      `violates PodSecurity "${policyOf(labels, 'enforce').text}": ${enforced}`,
    );
  warn(request, labels, found('warn'));
}

/** Of a pod's spec, only images and little else can change. */
function sameSecurity({ object, old }: AdmissionRequest): boolean {
  const shape = (pod: KubeObject | undefined) =>
    JSON.stringify((pod as PodObject | undefined)?.spec.containers.map(({ name }) => name));
  return shape(object) === shape(old);
}

/** Workloads are never refused for their template, only warned of: their pods will be. */
function checkTemplate(request: AdmissionRequest, labels: Record<string, string> | undefined): void {
  const template = templateOf(request.object);
  if (!template?.spec || (request.subresource !== undefined && request.subresource !== 'scale')) return;
  const { level } = policyOf(labels, 'warn');
  warn(request, labels, violationsOf(level, template.spec, template.metadata?.annotations));
}

function warn({ warn: tell }: AdmissionRequest, labels: Record<string, string> | undefined, found: string) {
  if (found) tell(`would violate PodSecurity "${policyOf(labels, 'warn').text}": ${found}`);
}

function templateOf({ spec, template }: KubeObject): PodTemplateSpec | undefined {
  const { template: own, jobTemplate } = (spec ?? {}) as {
    template?: PodTemplateSpec;
    jobTemplate?: { spec?: { template?: PodTemplateSpec } };
  };
  const found = own ?? jobTemplate?.spec?.template ?? (template as PodTemplateSpec | undefined);
  return Array.isArray(found?.spec?.containers) ? found : undefined;
}

/** Labels must be readable; pods that are there already and would not be let in are told of. */
function checkNamespace(registry: Registry, request: AdmissionRequest): void {
  const { object, old, warn: tell } = request;
  const { name = '', labels } = object.metadata;
  const problems = labelProblems(labels);
  if (problems.length > 0)
    throw invalid(
      '',
      'Namespace',
      name,
      problems.map(({ label, value, wanted }) => invalidValue(`metadata.labels[${label}]`, value, wanted)),
    );
  const policy = policyOf(labels, 'enforce');
  if (!old || policy.text === policyOf(old.metadata.labels, 'enforce').text) return;
  const told = registry.list(pods, { namespace: name }).items.flatMap((pod) => {
    const found = violationsOf(policy.level, (pod as PodObject).spec, pod.metadata.annotations);
    return found ? [`${pod.metadata.name}: ${reasonsOf(found)}`] : [];
  });
  if (told.length === 0) return;
  tell(`existing pods in namespace "${name}" violate the new PodSecurity enforce level "${policy.text}"`);
  for (const each of told.slice(0, MAX_PODS_TOLD)) tell(each);
}

/** Without the details: `privileged (container …)` is `privileged`. */
function reasonsOf(violations: string): string {
  return violations.replace(/ \((?:[^()"]|"[^"]*")*\)/g, '');
}
