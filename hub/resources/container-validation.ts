import type {
  Container,
  ContainerPort,
  EnvVar,
  Probe,
  ResourceRequirements,
  VolumeMount,
} from 'kubernetes-types/core/v1.d.ts';
import type { FieldError } from './api-error.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notFoundField,
  notSupported,
  required,
} from './field-errors.ts';
import {
  environmentNameErrors,
  labelNameErrors,
  portNameErrors,
  portNumberErrors,
  qualifiedNameErrors,
} from './names.ts';
import { compareQuantities, parseQuantity } from './quantity.ts';

const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];
const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const MESSAGE_POLICIES = ['FallbackToLogsOnError', 'File'];
const NOT_OVERCOMMITTED = /^hugepages-|\//;
const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

/** What is wrong with one container. `volumes` are the names of the pod's volumes. */
export function validateContainer(
  container: Container,
  field: string,
  volumes: ReadonlySet<string>,
): FieldError[] {
  return [
    ...nameErrors(container, field),
    ...imageErrors(container, field),
    ...portsErrors(container.ports ?? [], `${field}.ports`),
    ...(container.env ?? []).flatMap((each, index) => variableErrors(each, `${field}.env[${index}]`)),
    ...sourcesErrors(container, `${field}.envFrom`),
    ...mountsErrors(container.volumeMounts ?? [], `${field}.volumeMounts`, volumes),
    ...probeErrors(container.livenessProbe, `${field}.livenessProbe`, true),
    ...probeErrors(container.readinessProbe, `${field}.readinessProbe`, false),
    ...probeErrors(container.startupProbe, `${field}.startupProbe`, true),
    ...resourcesErrors(container.resources, `${field}.resources`),
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
  if (imagePullPolicy && !PULL_POLICIES.includes(imagePullPolicy))
    errors.push(notSupported(`${field}.imagePullPolicy`, imagePullPolicy, PULL_POLICIES));
  if (terminationMessagePolicy && !MESSAGE_POLICIES.includes(terminationMessagePolicy))
    errors.push(
      notSupported(`${field}.terminationMessagePolicy`, terminationMessagePolicy, MESSAGE_POLICIES),
    );
  return errors;
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

function portErrors({ name, containerPort, hostPort, protocol }: ContainerPort, field: string): FieldError[] {
  const errors: FieldError[] = [];
  if (name) errors.push(...portNameErrors(name).map((detail) => invalidValue(`${field}.name`, name, detail)));
  if (!containerPort) errors.push(required(`${field}.containerPort`));
  else errors.push(...numberErrors(containerPort, `${field}.containerPort`));
  if (hostPort) errors.push(...numberErrors(hostPort, `${field}.hostPort`));
  if (!protocol) errors.push(required(`${field}.protocol`));
  else if (!PROTOCOLS.includes(protocol)) errors.push(notSupported(`${field}.protocol`, protocol, PROTOCOLS));
  return errors;
}

function numberErrors(port: number, field: string): FieldError[] {
  return portNumberErrors(port).map((detail) => invalidValue(field, port, detail));
}

function variableErrors({ name, value, valueFrom }: EnvVar, field: string): FieldError[] {
  const errors: FieldError[] = name
    ? environmentNameErrors(name).map((detail) => invalidValue(`${field}.name`, name, detail))
    : [required(`${field}.name`)];
  if (!valueFrom) return errors;
  const sources = Object.values(valueFrom).filter(Boolean).length;
  const at = `${field}.valueFrom`;
  if (sources === 0)
    errors.push(
      invalidValue(
        at,
        '',
        'must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ),
    );
  else if (value) errors.push(invalidValue(at, '', 'may not be specified when `value` is not empty'));
  else if (sources > 1)
    errors.push(invalidValue(at, '', 'may not have more than one field specified at a time'));
  for (const kind of ['configMapKeyRef', 'secretKeyRef'] as const) {
    const source = valueFrom[kind];
    if (source && !source.name) errors.push(required(`${at}.${kind}.name`));
    if (source && !source.key) errors.push(required(`${at}.${kind}.key`));
  }
  if (valueFrom.fieldRef && !valueFrom.fieldRef.fieldPath) errors.push(required(`${at}.fieldRef.fieldPath`));
  if (valueFrom.resourceFieldRef && !valueFrom.resourceFieldRef.resource)
    errors.push(required(`${at}.resourceFieldRef.resource`));
  return errors;
}

function sourcesErrors({ envFrom = [] }: Container, field: string): FieldError[] {
  return envFrom.flatMap(({ prefix, configMapRef, secretRef }, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = [];
    if (prefix)
      errors.push(
        ...environmentNameErrors(prefix).map((detail) => invalidValue(`${at}.prefix`, prefix, detail)),
      );
    if (configMapRef && secretRef)
      errors.push(invalidValue(at, '', 'may not have more than one field specified at a time'));
    if (!configMapRef && !secretRef)
      errors.push(invalidValue(at, '', 'must specify one of: `configMapRef` or `secretRef`'));
    if (configMapRef && !configMapRef.name) errors.push(required(`${at}.configMapRef.name`));
    if (secretRef && !secretRef.name) errors.push(required(`${at}.secretRef.name`));
    return errors;
  });
}

function mountsErrors(
  mounts: readonly VolumeMount[],
  field: string,
  volumes: ReadonlySet<string>,
): FieldError[] {
  const paths = new Set<string>();
  return mounts.flatMap(({ name, mountPath, subPath, subPathExpr }, index) => {
    const at = `${field}[${index}]`;
    const errors: FieldError[] = [];
    if (!name) errors.push(required(`${at}.name`));
    else if (!volumes.has(name)) errors.push(notFoundField(`${at}.name`, name));
    if (!mountPath) errors.push(required(`${at}.mountPath`));
    else if (paths.has(mountPath)) errors.push(invalidValue(`${at}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
    if (subPath && subPathExpr)
      errors.push(
        invalidValue(`${at}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
      );
    for (const [key, path] of [
      ['subPath', subPath],
      ['subPathExpr', subPathExpr],
    ] as const)
      if (path) errors.push(...localPathErrors(path, `${at}.${key}`));
    return errors;
  });
}

/** A path that must stay inside its volume. */
export function localPathErrors(path: string, field: string): FieldError[] {
  if (path.startsWith('/')) return [invalidValue(field, path, 'must be a relative path')];
  return path.split('/').includes('..') ? [invalidValue(field, path, "must not contain '..'")] : [];
}

function probeErrors(probe: Probe | undefined, field: string, oneSuccess: boolean): FieldError[] {
  if (!probe) return [];
  const errors = handlerErrors(probe, field);
  for (const key of [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const) {
    const value = probe[key] ?? 0;
    if (value < 0) errors.push(invalidValue(`${field}.${key}`, value, 'must be greater than or equal to 0'));
  }
  if (oneSuccess && (probe.successThreshold ?? 1) > 1)
    errors.push(invalidValue(`${field}.successThreshold`, probe.successThreshold, 'must be 1'));
  if (!oneSuccess && probe.terminationGracePeriodSeconds !== undefined)
    errors.push(
      forbiddenField(`${field}.terminationGracePeriodSeconds`, 'must not be set for readinessProbes'),
    );
  else if (probe.terminationGracePeriodSeconds !== undefined && probe.terminationGracePeriodSeconds <= 0)
    errors.push(
      invalidValue(
        `${field}.terminationGracePeriodSeconds`,
        probe.terminationGracePeriodSeconds,
        'must be greater than 0',
      ),
    );
  return errors;
}

function handlerErrors(probe: Probe, field: string): FieldError[] {
  const errors: FieldError[] = [];
  const handlers = HANDLERS.filter((key) => (probe as Readonly<Record<string, unknown>>)[key]);
  if (handlers.length === 0) return [required(field, 'must specify a handler type')];
  for (const extra of handlers.slice(1))
    errors.push(forbiddenField(`${field}.${extra}`, 'may not specify more than 1 handler type'));
  if (probe.exec && !probe.exec.command?.length) errors.push(required(`${field}.exec.command`));
  if (probe.httpGet) errors.push(...portOrNameErrors(probe.httpGet.port, `${field}.httpGet.port`));
  if (probe.httpGet?.scheme && !['HTTP', 'HTTPS'].includes(probe.httpGet.scheme))
    errors.push(notSupported(`${field}.httpGet.scheme`, probe.httpGet.scheme, ['HTTP', 'HTTPS']));
  if (probe.tcpSocket) errors.push(...portOrNameErrors(probe.tcpSocket.port, `${field}.tcpSocket.port`));
  if (probe.grpc) errors.push(...portOrNameErrors(probe.grpc.port, `${field}.grpc.port`));
  return errors;
}

function portOrNameErrors(port: number | string | undefined, field: string): FieldError[] {
  if (port === undefined) return [required(field)];
  if (typeof port === 'number') return numberErrors(port, field);
  return portNameErrors(port).map((detail) => invalidValue(field, port, detail));
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
