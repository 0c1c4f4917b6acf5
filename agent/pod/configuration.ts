import { ConfigurationError } from './configuration-error.ts';
import type { Configuration, Pod } from './pod.ts';

/** A ConfigMap's keys and values, as bytes. Throws ConfigurationError when it is missing and not optional. */
export function configMapData(
  pod: Pod,
  name: string,
  optional: boolean | undefined,
  configuration: Configuration,
): Record<string, Buffer> {
  const configMap = configuration.configMap(pod.metadata.namespace, name);
  if (!configMap && !optional) throw new ConfigurationError(`configmap "${name}" not found`);
  return {
    ...mapValues(configMap?.data ?? {}, (text) => Buffer.from(text)),
    ...mapValues(configMap?.binaryData ?? {}, (text) => Buffer.from(text, 'base64')),
  };
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
