import { randomUUID } from 'node:crypto';
import type { ParamRef } from 'kubernetes-types/admissionregistration/v1.d.ts';
import { type Authorize, AuthorizerValue } from '../../cel/authorizer.ts';
import { withinTime } from '../../cel/time-limit.ts';
import type { AdmissionRequest } from '../../registry/admission.ts';
import type { Registry } from '../../registry/registry.ts';
import { ApiError, invalid } from '../../resources/api-error.ts';
import type { Requester } from '../../resources/definition.ts';
import type { KubeObject } from '../../resources/object.ts';
import { matchesLabelSelector } from '../../resources/selector.ts';
import {
  namespaces,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from '../../resources/table-of-resources.ts';
import type { AdmissionPolicyBindingObject, AdmissionPolicyObject } from '../../resources/typed.ts';
import { writes } from '../is-resource.ts';
import type { AdmissionPlugin } from '../plugin.ts';
import { celValue } from './cel-values.ts';
import { type CompiledPolicy, compilePolicy } from './compiled-policy.ts';
import { evaluatePolicy, type PolicyFailure } from './evaluate.ts';
import { isMatched } from './matching.ts';

/** The HTTP code of a refusal, by the reason that its validation gives. */
const CODES: Readonly<Record<string, number>> = {
  Unauthorized: 401,
  Forbidden: 403,
  RequestEntityTooLarge: 413,
  Invalid: 422,
};

/** All that one policy may take of a write. */
const LIMIT_MS = 200;

/** ValidatingAdmissionPolicies and their bindings: rules about writes, in CEL. */
export function validatingPolicies(registry: Registry, authorize: Authorize): AdmissionPlugin {
  const compiled = new WeakMap<KubeObject, CompiledPolicy | undefined>(); // stored objects never change
  const compiledOf = (policy: AdmissionPolicyObject) => {
    if (!compiled.has(policy)) compiled.set(policy, compilePolicy(policy).policy);
    return compiled.get(policy);
  };
  const enforceAll = (request: AdmissionRequest) => {
    // Rules about rules could lock out who would mend them.
    if (request.resource.group === validatingAdmissionPolicies.group) return;
    const bindings = registry.list(validatingAdmissionPolicyBindings).items;
    for (const binding of bindings as readonly AdmissionPolicyBindingObject[])
      enforce({ registry, authorize, compiledOf }, request, binding);
  };
  return {
    check: (request) => {
      if (writes(request, validatingAdmissionPolicies)) checkPolicy(request.object as AdmissionPolicyObject);
      enforceAll(request);
    },
    checkDeletion: enforceAll,
    checkConnection: enforceAll,
  };
}

/** Throws 422 for expressions that can not be read. */
function checkPolicy(policy: AdmissionPolicyObject): void {
  const { errors } = compilePolicy(policy);
  const { group, kind } = validatingAdmissionPolicies;
  if (errors.length > 0) throw invalid(group, kind, policy.metadata.name ?? '', errors);
}

interface Enforcement {
  readonly registry: Registry;
  readonly authorize: Authorize;
  readonly compiledOf: (policy: AdmissionPolicyObject) => CompiledPolicy | undefined;
}

function enforce(
  { registry, authorize, compiledOf }: Enforcement,
  request: AdmissionRequest,
  binding: AdmissionPolicyBindingObject,
): void {
  const { policyName = '', matchResources, paramRef } = binding.spec;
  const policy = registry.get(validatingAdmissionPolicies, undefined, policyName) as
    | AdmissionPolicyObject
    | undefined;
  const namespace = namespaceOf(registry, request);
  if (!policy || !isMatched(policy.spec.matchConstraints, request, namespace)) return;
  if (!isMatched(matchResources, request, namespace)) return;
  const rules = compiledOf(policy);
  if (!rules) return; // it was refused when it was written
  const params = paramRef ? paramsOf(registry, policy, paramRef, request) : [undefined];
  if (params.length === 0 && paramRef?.parameterNotFoundAction === 'Deny')
    act(request, policy, binding, [
      missing(`no params found for policy binding with \`Deny\` parameterNotFoundAction`),
    ]);
  for (const param of params) {
    const values = { ...valuesOf(request, namespace, param), authorizer: authorizerFor(request, authorize) };
    const failures = withinTime(() => evaluatePolicy(rules, values), LIMIT_MS, `of policy '${policyName}'`);
    act(request, policy, binding, failures);
  }
}

function missing(message: string): PolicyFailure {
  return { message, reason: 'Invalid', isError: false };
}

/** Refuses or warns, as the binding says. Throws an ApiError. */
function act(
  request: AdmissionRequest,
  policy: AdmissionPolicyObject,
  { metadata, spec }: AdmissionPolicyBindingObject,
  failures: readonly PolicyFailure[],
): void {
  const counted = failures.filter(({ isError }) => !isError || policy.spec.failurePolicy !== 'Ignore');
  const actions = spec.validationActions ?? [];
  const names = `'${policy.metadata.name}' with binding '${metadata.name}'`;
  for (const { message, reason } of counted) {
    if (actions.includes('Warn'))
      request.warn(`Validation failed for ValidatingAdmissionPolicy ${names}: ${message}`);
    if (actions.includes('Deny'))
      throw refusal(request, reason, `ValidatingAdmissionPolicy ${names} denied request: ${message}`);
  }
}

function refusal({ resource, object }: AdmissionRequest, reason: string, why: string): ApiError {
  const { group, plural } = resource;
  const name = object.metadata.name ?? '';
  const subject = `${plural}${group ? `.${group}` : ''} "${name}"`;
  return new ApiError(CODES[reason] ?? 422, reason, `${subject} is forbidden: ${why}`, {
    name,
    ...(group && { group }),
    kind: plural,
    causes: [{ message: why }],
  });
}

function namespaceOf(registry: Registry, { object, resource }: AdmissionRequest): KubeObject | undefined {
  const { namespace } = object.metadata;
  return resource.namespaced && namespace !== undefined
    ? registry.get(namespaces, undefined, namespace)
    : undefined;
}

/** The objects that a binding's policy is evaluated with, once for each. */
function paramsOf(
  registry: Registry,
  { spec }: AdmissionPolicyObject,
  { name, namespace, selector }: ParamRef,
  request: AdmissionRequest,
): readonly KubeObject[] {
  const { apiVersion = '', kind = '' } = spec.paramKind ?? {};
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const resource = registry.definitions.find(
    (each) => each.group === group && each.version === version && each.kind === kind,
  );
  if (!resource) return [];
  const place = resource.namespaced ? (namespace ?? request.object.metadata.namespace ?? '') : undefined;
  if (name) return [registry.get(resource, place, name)].filter((found) => found !== undefined);
  return registry
    .list(resource, place === undefined ? {} : { namespace: place })
    .items.filter(({ metadata }) => matchesLabelSelector(selector, metadata.labels));
}

/** The hub's own writes are made by who may do everything. */
const HUB: Requester = { name: 'system:holdfast:hub', groups: ['system:masters'] };

/** What who asks may do; and, by `requestResource`, to what the request is about. */
function authorizerFor({ requester, resource, subresource, object }: AdmissionRequest, authorize: Authorize) {
  const { name, namespace } = object.metadata;
  return new AuthorizerValue(authorize, requester ?? HUB, {
    group: resource.group,
    resource: resource.plural,
    ...(subresource && { subresource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
  });
}

function valuesOf(
  request: AdmissionRequest,
  namespace: KubeObject | undefined,
  params: KubeObject | undefined,
) {
  const { object, old, resource, subresource, operation, requester = HUB, dryRun } = request;
  const { group, version, plural } = resource;
  const isConnection = operation === 'CONNECT';
  // What a connection is to be has no metadata.
  const { metadata: _, ...options } = object;
  return {
    object: operation === 'DELETE' ? null : celValue(isConnection ? options : object),
    oldObject: celValue(old),
    namespaceObject: celValue(namespace),
    params: celValue(params),
    request: celValue({
      uid: randomUUID(),
      kind: isConnection
        ? { group: '', version: 'v1', kind: object.kind }
        : { group, version, kind: resource.kind },
      resource: { group, version, resource: plural },
      subResource: subresource ?? '',
      name: object.metadata.name ?? '',
      namespace: object.metadata.namespace ?? '',
      operation,
      userInfo: {
        username: requester.name,
        uid: requester.uid ?? '',
        groups: requester.groups,
        extra: requester.extra ?? {},
      },
      dryRun,
    }),
  };
}
