import type {
  Container,
  ContainerPort,
  ContainerResizePolicy,
  ResourceRequirements,
} from 'kubernetes-types/core/v1.d.ts';
import { addressErrors } from './addresses.ts';
import type { FieldError } from './api-error.ts';
import { environmentErrors, nulErrors } from './environment-validation.ts';
import { duplicate, invalidValue, notSupported, oneOfErrors, required } from './field-errors.ts';
import { labelNameErrors, portNameErrors, portNumberErrors, qualifiedNameErrors } from './names.ts';
import { type Ending, hookErrors, probeErrors } from './probe-validation.ts';
import { compareQuantities, parseQuantity } from './quantity.ts';
import { restartErrors } from './restart-rules.ts';
import { securityErrors } from './security-validation.ts';
import { mountsErrors, pullPolicyErrors } from './volume-validation.ts';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const MESSAGE_POLICIES = ['FallbackToLogsOnError', 'File'];
const RESIZABLE = ['cpu', 'memory'];
const RESIZE_POLICIES = ['NotRequired', 'RestartContainer'];
const NOT_OVERCOMMITTED = /^hugepages-|\//;

/** What of the pod its containers refer to, or depend on. */
export interface PodContext extends Ending {
  readonly volumes: ReadonlySet<string>;
  readonly containers: ReadonlySet<string>;
  readonly restartPolicy: string | undefined;
}

/** What is wrong with one container. */
export function validateContainer(container: Container, field: string, pod: PodContext): FieldError[] {
  return [
    ...nameErrors(container, field),
    ...imageErrors(container, field),
    ...commandErrors(container, field),
    ...portsErrors(container.ports ?? [], `${field}.ports`),
    ...environmentErrors(container, field, pod.containers),
    ...mountsErrors(container, `${field}.volumeMounts`, pod.volumes),
    ...probeErrors(container.livenessProbe, `${field}.livenessProbe`, true),
    ...probeErrors(container.readinessProbe, `${field}.readinessProbe`, false),
    ...probeErrors(container.startupProbe, `${field}.startupProbe`, true),
    ...resourcesErrors(container.resources, `${field}.resources`),
    ...resizeErrors(container, `${field}.resizePolicy`, pod),
    ...hookErrors(container, field, pod),
    ...securityErrors(container.securityContext, `${field}.securityContext`),
    ...restartErrors(container, field),
  ];
}

function nameErrors({ name }: Container, field: string): FieldError[] {
  if (!name) return [required(`${field}.name`)];
  return labelNameErrors(name).map((detail) => invalidValue(`${field}.name`, name, detail));
}

function imageErrors(container: Container, field: string): FieldError[] {
  const { image, imagePullPolicy, terminationMessagePolicy } = container;
  const errors: FieldError[] = [];
  if (!image) errors.push(required(`${field}.image`));
  else if (image !== image.trim())
    errors.push(invalidValue(`${field}.image`, image, 'must not have leading or trailing whitespace'));
  errors.push(...pullPolicyErrors(imagePullPolicy, `${field}.imagePullPolicy`));
  if (terminationMessagePolicy && !MESSAGE_POLICIES.includes(terminationMessagePolicy))
    errors.push(
      notSupported(`${field}.terminationMessagePolicy`, terminationMessagePolicy, MESSAGE_POLICIES),
    );
  return errors;
}

function commandErrors(container: Container, field: string): FieldError[] {
  return (['command', 'args'] as const).flatMap((key) =>
    (container[key] ?? []).flatMap((text, index) => nulErrors(text, `${field}.${key}[${index}]`)),
  );
}

function portsErrors(ports: readonly ContainerPort[], field: string): FieldError[] {
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `${field}[${index}]`;
    const errors = portErrors(port, at);
    if (port.name && names.has(port.name)) errors.push(duplicate(`${at}.name`, port.name));
    if (port.name) names.add(port.name);
    return errors;
  });
}

function portErrors(port: ContainerPort, field: string): FieldError[] {
  const { name, containerPort, hostPort, hostIP, protocol } = port;
  const errors: FieldError[] = [];
  if (name) errors.push(...portNameErrors(name).map((detail) => invalidValue(`${field}.name`, name, detail)));
  if (!containerPort) errors.push(required(`${field}.containerPort`));
  else errors.push(...numberErrors(containerPort, `${field}.containerPort`));
  if (hostPort) errors.push(...numberErrors(hostPort, `${field}.hostPort`));
  if (hostIP)
    errors.push(...addressErrors(hostIP).map((detail) => invalidValue(`${field}.hostIP`, hostIP, detail)));
  return [...errors, ...oneOfErrors(`${field}.protocol`, protocol, PROTOCOLS)];
}

function numberErrors(port: number, field: string): FieldError[] {
  return portNumberErrors(port).map((detail) => invalidValue(field, port, detail));
}

function resourcesErrors(resources: ResourceRequirements | undefined, field: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const part of ['limits', 'requests'] as const)
    for (const [name, amount] of Object.entries(resources?.[part] ?? {}))
      errors.push(...amountErrors(name, amount, `${field}.${part}`));
  for (const [name, request] of Object.entries(resources?.requests ?? {}))
    errors.push(...excessErrors(name, request, resources?.limits?.[name], `${field}.requests`));
  return errors;
}

function amountErrors(name: string, amount: string, field: string): FieldError[] {
  const errors = qualifiedNameErrors(name).map((detail) => invalidValue(field, name, detail));
  const quantity = parseQuantity(amount);
  if (!quantity)
    errors.push(
      invalidValue(
        `${field}[${name}]`,
        amount,
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
      ),
    );
  else if (quantity.value < 0n)
    errors.push(invalidValue(`${field}[${name}]`, amount, 'must be greater than or equal to 0'));
  if (!name.includes('/') && !/^(cpu|memory|ephemeral-storage|hugepages-.+)$/.test(name))
    errors.push(invalidValue(`${field}[${name}]`, name, 'must be a standard resource for containers'));
  return errors;
}

function resizeErrors(container: Container, field: string, pod: PodContext): FieldError[] {
  const { resizePolicy = [], restartPolicy } = container;
  const names = new Set<string>();
  const runsOnce = pod.restartPolicy === 'Never' && !restartPolicy;
  return resizePolicy.flatMap(
    ({ resourceName: name, restartPolicy: policy }: ContainerResizePolicy, index) => {
      const errors = [...oneOfErrors(field, name, RESIZABLE), ...oneOfErrors(field, policy, RESIZE_POLICIES)];
      if (names.has(name)) errors.unshift(duplicate(`${field}[${index}]`, name));
      names.add(name);
      if (runsOnce && policy === 'RestartContainer')
        errors.push(invalidValue(field, policy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
      return errors;
    },
  );
}

function excessErrors(name: string, request: string, limit: string | undefined, field: string): FieldError[] {
  const wanted = parseQuantity(request);
  const most = limit === undefined ? undefined : parseQuantity(limit);
  if (!wanted || !most) return [];
  const difference = compareQuantities(wanted, most);
  if (NOT_OVERCOMMITTED.test(name) && difference !== 0)
    return [invalidValue(field, request, `must be equal to ${name} limit of ${limit}`)];
  return difference > 0
    ? [invalidValue(field, request, `must be less than or equal to ${name} limit of ${limit}`)]
    : [];
}
