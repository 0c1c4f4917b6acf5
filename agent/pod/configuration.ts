import { ConfigurationError } from './configuration-error.ts';
import type { ConfigMap, Configuration, Pod } from './pod.ts';

/** A ConfigMap's texts, which are all that variables are made of. Throws ConfigurationError when it is missing and not optional. */
export function configMapTexts(
  pod: Pod,
  name: string,
  optional: boolean | undefined,
  configuration: Configuration,
): Record<string, Buffer> {
  return mapValues(configMapOf(pod, name, optional, configuration)?.data ?? {}, (text) => Buffer.from(text));
}

/** The same with what is not text, as in files. */
export function configMapData(
  pod: Pod,
  name: string,
  optional: boolean | undefined,
  configuration: Configuration,
): Record<string, Buffer> {
  const configMap = configMapOf(pod, name, optional, configuration);
  return {
    ...mapValues(configMap?.data ?? {}, (text) => Buffer.from(text)),
    ...mapValues(configMap?.binaryData ?? {}, (text) => Buffer.from(text, 'base64')),
  };
}

function configMapOf(
  pod: Pod,
  name: string,
  optional: boolean | undefined,
  configuration: Configuration,
): ConfigMap | undefined {
  const configMap = configuration.configMap(pod.metadata.namespace, name);
  if (!configMap && !optional) throw new ConfigurationError(`configmap "${name}" not found`);
  return configMap;
}

export function secretData(
  pod: Pod,
  name: string,
  optional: boolean | undefined,
  configuration: Configuration,
): Record<string, Buffer> {
  const secret = configuration.secret(pod.metadata.namespace, name);
  if (!secret && !optional) throw new ConfigurationError(`secret "${name}" not found`);
  return mapValues(secret?.data ?? {}, (text) => Buffer.from(text, 'base64'));
}

function mapValues(record: Record<string, string>, change: (text: string) => Buffer): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
