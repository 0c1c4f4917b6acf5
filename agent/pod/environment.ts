import type { EnvFromSource, EnvVar } from 'kubernetes-types/core/v1.d.ts';
import { configMapTexts, secretData } from './configuration.ts';
import { ConfigurationError } from './configuration-error.ts';
import { fieldValue, type Placement, resourceValue } from './downward.ts';
import type { Configuration, Container, Pod } from './pod.ts';

/** What a container's variables are made of, beside the pod itself. */
export interface EnvironmentContext {
  readonly configuration: Configuration;
  readonly placement: Placement;
  /** Where Services are, which every container is told. */
  readonly serviceVariables: ReadonlyMap<string, string>;
}

/**
 * The container's variables, references resolved, in the order in which later ones may use earlier. What the container
 * says itself counts most, then what it imports, then where Services are.
 */
export function environment(
  pod: Pod,
  container: Container,
  context: EnvironmentContext,
): Map<string, string> {
  const values = new Map<string, string>();
  for (const source of container.envFrom ?? []) {
    for (const [name, value] of importedVariables(pod, source, context)) values.set(name, value);
  }
  const known = new Map([...context.serviceVariables, ...values]);
  for (const variable of container.env ?? []) {
    const value = variableValue(pod, container, variable, context, known);
    if (value === undefined) continue;
    values.set(variable.name, value);
    known.set(variable.name, value);
  }
  return new Map([...values, ...[...context.serviceVariables].filter(([name]) => !values.has(name))]);
}

/** Kubernetes' `$(NAME)`: unknown names stay as they are, `$$` is a dollar sign. */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, inner: string, name: string) => {
    if (inner === '$') return '$';
    return values.get(name) ?? whole;
  });
}

/** Any text that the API lets through is a name: Kubernetes too sets all that have no `=`. */
function importedVariables(
  pod: Pod,
  { prefix = '', configMapRef, secretRef }: EnvFromSource,
  { configuration }: EnvironmentContext,
): [string, string][] {
  const data = configMapRef
    ? configMapTexts(pod, configMapRef.name ?? '', configMapRef.optional, configuration)
    : secretData(pod, secretRef?.name ?? '', secretRef?.optional, configuration);
  return Object.entries(data).map(([key, value]) => [prefix + key, value.toString()]);
}

/** Only what stands in the pod itself may refer to others: what is looked up is taken as it is. */
function variableValue(
  pod: Pod,
  container: Container,
  { name, value = '', valueFrom }: EnvVar,
  { configuration, placement }: EnvironmentContext,
  known: ReadonlyMap<string, string>,
): string | undefined {
  if (!valueFrom) return expand(value, known);
  if (valueFrom.fieldRef) return fieldValue(pod, valueFrom.fieldRef.fieldPath, placement);
  if (valueFrom.resourceFieldRef) return resourceValue(pod, container, valueFrom.resourceFieldRef, placement);
  const { configMapKeyRef, secretKeyRef } = valueFrom;
  const reference = configMapKeyRef ?? secretKeyRef;
  if (!reference) throw new ConfigurationError(`env "${name}" has a source that this agent does not know`);
  const read = configMapKeyRef ? configMapTexts : secretData;
  const found = read(pod, reference.name ?? '', reference.optional, configuration)[reference.key];
  if (found !== undefined || reference.optional) return found?.toString();
  const kind = configMapKeyRef ? 'ConfigMap' : 'Secret';
  throw new ConfigurationError(
    `couldn't find key ${reference.key} in ${kind} ${pod.metadata.namespace}/${reference.name}`,
  );
}
