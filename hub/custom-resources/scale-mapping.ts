import type { ScaleMapping } from '../resources/definition.ts';
import type { KubeObject } from '../resources/object.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import type { ScalePaths } from './custom-resource-definition.ts';
import { fieldsOfPath, findAll } from './json-path.ts';

/** Where a custom resource keeps what a Scale shows. */
export function scaleMapping({
  specReplicasPath,
  statusReplicasPath,
  labelSelectorPath,
}: ScalePaths): ScaleMapping {
  const replicas = fieldsOfPath(specReplicasPath) ?? [];
  const status = fieldsOfPath(statusReplicasPath) ?? [];
  const selector = labelSelectorPath ? fieldsOfPath(labelSelectorPath) : undefined;
  return {
    replicas: (object) => numberAt(replicas, object),
    statusReplicas: (object) => numberAt(status, object),
    selector: (object) => {
      const text = selector && valueAt(selector, object);
      return typeof text === 'string' ? text : '';
    },
    withReplicas: (object, count) => withValue(object, replicas, count) as KubeObject,
  };
}

function valueAt(names: readonly string[], object: unknown): unknown {
  return findAll(
    names.map((name) => ({ type: 'field', name })),
    object,
  )[0];
}

function numberAt(names: readonly string[], object: unknown): number {
  const value = valueAt(names, object);
  return typeof value === 'number' ? value : 0;
}

function withValue(object: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  const before: JsonObject = isJsonObject(object) ? object : {};
  return { ...before, [name]: withValue(before[name], rest, value) };
}
