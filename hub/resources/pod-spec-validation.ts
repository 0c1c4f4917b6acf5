import type { Container, PodSpec, Toleration } from 'kubernetes-types/core/v1.d.ts';
import { addressErrors } from './addresses.ts';
import type { FieldError } from './api-error.ts';
import { type PodContext, validateContainer } from './container-validation.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  oneOfErrors,
  required,
} from './field-errors.ts';
import { labelErrors } from './metadata-validation.ts';
import { labelNameErrors, qualifiedNameErrors, subdomainNameErrors } from './names.ts';
import { podSecurityErrors } from './security-validation.ts';
import { volumesErrors } from './volume-validation.ts';

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never'];
const DNS_POLICIES = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
const SYSTEMS = ['linux', 'windows'];
const GRACE_SECONDS = 30;
const NOT_OF_INIT = ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const;
const TAINT_EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
/** What is wrong with the spec of a pod or of a template; `field` is where it stands. */
export function validatePodSpec(spec: PodSpec, field: string): FieldError[] {
  const context = contextOf(spec);
  return [
    ...volumesErrors(spec.volumes ?? [], `${field}.volumes`, context.containers),
    ...containersErrors(spec, field, context),
    ...policyErrors(spec, field),
    ...labelErrors(spec.nodeSelector, `${field}.nodeSelector`),
    ...nameErrors(spec, field),
    ...addressesErrors(spec, field),
    ...podSecurityErrors(spec.securityContext, `${field}.securityContext`),
    ...(spec.tolerations ?? []).flatMap((each, index) =>
      tolerationErrors(each, `${field}.tolerations[${index}]`),
    ),
  ];
}

function contextOf(spec: PodSpec): PodContext {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  return {
    volumes: new Set((spec.volumes ?? []).map(({ name }) => name)),
    containers: new Set(containers.map(({ name }) => name)),
    graceSeconds: spec.terminationGracePeriodSeconds ?? GRACE_SECONDS,
    restartPolicy: spec.restartPolicy,
    os: spec.os?.name,
  };
}

function containersErrors(spec: PodSpec, field: string, context: PodContext): FieldError[] {
  const errors: FieldError[] = spec.containers?.length ? [] : [required(`${field}.containers`)];
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  for (const [index, container] of (spec.ephemeralContainers ?? []).entries())
    errors.push(...validateContainer(container, `${field}.ephemeralContainers[${index}]`, context));
  for (const list of ['initContainers', 'containers'] as const) {
    for (const [index, container] of (spec[list] ?? []).entries()) {
      const at = `${field}.${list}[${index}]`;
      errors.push(...validateContainer(container, at, context));
      if (container.name && names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
      names.add(container.name);
      if (list === 'containers') errors.push(...hostPortErrors(container, at, hostPorts));
      else errors.push(...initErrors(container, at));
    }
  }
  return errors;
}

/** Nothing asks after a container that the others wait for. */
function initErrors(container: Container, field: string): FieldError[] {
  if (container.restartPolicy === 'Always') return [];
  return NOT_OF_INIT.filter((key) => container[key]).map((key) =>
    forbiddenField(`${field}.${key}`, 'may not be set for init containers without restartPolicy=Always'),
  );
}

function hostPortErrors(container: Container, field: string, taken: Set<string>): FieldError[] {
  return (container.ports ?? []).flatMap(({ hostPort, protocol = 'TCP', hostIP = '' }, index) => {
    if (!hostPort) return [];
    const key = `${protocol}/${hostIP}/${hostPort}`;
    if (taken.has(key)) return [duplicate(`${field}.ports[${index}].hostPort`, key)];
    taken.add(key);
    return [];
  });
}

function policyErrors(spec: PodSpec, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const {
    restartPolicy,
    dnsPolicy,
    terminationGracePeriodSeconds: grace,
    activeDeadlineSeconds: deadline,
  } = spec;
  if (!restartPolicy) errors.push(required(`${field}.restartPolicy`));
  else if (!RESTART_POLICIES.includes(restartPolicy))
    errors.push(notSupported(`${field}.restartPolicy`, restartPolicy, RESTART_POLICIES));
  if (dnsPolicy && !DNS_POLICIES.includes(dnsPolicy))
    errors.push(notSupported(`${field}.dnsPolicy`, dnsPolicy, DNS_POLICIES));
  if (dnsPolicy === 'None' && !spec.dnsConfig?.nameservers?.length)
    errors.push(
      required(
        `${field}.dnsConfig.nameservers`,
        'must provide at least one DNS nameserver when `dnsPolicy` is None',
      ),
    );
  if (grace !== undefined && grace < 0)
    errors.push(
      invalidValue(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than or equal to 0'),
    );
  if (deadline !== undefined && (deadline < 1 || deadline > 2147483647))
    errors.push(
      invalidValue(`${field}.activeDeadlineSeconds`, deadline, 'must be between 1 and 2147483647, inclusive'),
    );
  if (spec.shareProcessNamespace && spec.hostPID)
    errors.push(
      invalidValue(
        `${field}.shareProcessNamespace`,
        true,
        'ShareProcessNamespace and HostPID cannot both be enabled',
      ),
    );
  return errors;
}

function nameErrors(spec: PodSpec, field: string): FieldError[] {
  const check = (
    key: 'hostname' | 'subdomain' | 'serviceAccountName' | 'nodeName',
    rule: (name: string) => string[],
  ) => {
    const name = spec[key];
    return name ? rule(name).map((detail) => invalidValue(`${field}.${key}`, name, detail)) : [];
  };
  return [
    ...check('hostname', labelNameErrors),
    ...check('subdomain', labelNameErrors),
    ...check('serviceAccountName', subdomainNameErrors),
    ...check('nodeName', subdomainNameErrors),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }, index) =>
      name ? [] : [required(`${field}.imagePullSecrets[${index}].name`)],
    ),
    ...hostNetworkErrors(spec, field),
  ];
}

function addressesErrors({ hostAliases = [], dnsConfig, os }: PodSpec, field: string): FieldError[] {
  const errorsOf = (address: string, at: string) =>
    addressErrors(address).map((detail) => invalidValue(at, address, detail));
  return [
    ...hostAliases.flatMap(({ ip, hostnames = [] }, index) => {
      const at = `${field}.hostAliases[${index}]`;
      return [
        ...errorsOf(ip ?? '', `${at}.ip`),
        ...hostnames.flatMap((name, of) =>
          subdomainNameErrors(name).map((detail) => invalidValue(`${at}.hostnames[${of}]`, name, detail)),
        ),
      ];
    }),
    ...(dnsConfig?.nameservers ?? []).flatMap((address, index) =>
      errorsOf(address, `${field}.dnsConfig.nameservers[${index}]`),
    ),
    ...(os ? oneOfErrors(`${field}.os.name`, os.name, SYSTEMS) : []),
  ];
}

function hostNetworkErrors(spec: PodSpec, field: string): FieldError[] {
  if (!spec.hostNetwork) return [];
  return (spec.containers ?? []).flatMap(({ ports = [] }, container) =>
    ports.flatMap(({ hostPort, containerPort }, index) =>
      hostPort === containerPort
        ? []
        : [
            invalidValue(
              `${field}.containers[${container}].ports[${index}].hostPort`,
              hostPort,
              'must match `containerPort` when `hostNetwork` is true',
            ),
          ],
    ),
  );
}

/** Also for the tolerations that a runtime brings with it. */
export function tolerationErrors(toleration: Toleration, field: string): FieldError[] {
  const { key, operator = 'Equal', value, effect, tolerationSeconds } = toleration;
  const errors: FieldError[] = [];
  if (key)
    errors.push(...qualifiedNameErrors(key).map((detail) => invalidValue(`${field}.key`, key, detail)));
  else if (operator !== 'Exists')
    errors.push(
      invalidValue(
        `${field}.operator`,
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  if (operator !== 'Exists' && operator !== 'Equal')
    errors.push(notSupported(`${field}.operator`, operator, ['Equal', 'Exists']));
  if (operator === 'Exists' && value)
    errors.push(invalidValue(`${field}.operator`, value, "value must be empty when `operator` is 'Exists'"));
  if (effect && !TAINT_EFFECTS.includes(effect))
    errors.push(notSupported(`${field}.effect`, effect, TAINT_EFFECTS));
  if (tolerationSeconds !== undefined && effect !== 'NoExecute')
    errors.push(
      invalidValue(
        `${field}.effect`,
        effect ?? '',
        "effect must be 'NoExecute' when `tolerationSeconds` is set",
      ),
    );
  return errors;
}
