import { isJsonObject, type JsonObject } from '../schema/json-type.ts';

/** RFC 7386: objects merge, `null` removes, everything else replaces. Neither argument is changed. */
export function applyMergePatch(target: unknown, patch: JsonObject): JsonObject {
  const merged: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = isJsonObject(value) ? applyMergePatch(merged[key], value) : value;
  }
  return merged;
}
