import { applyPatch, type Operation } from 'rfc6902';
import { ApiError, badRequest } from '../resources/api-error.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';

const MAX_OPERATIONS = 10_000;
/** How much all `copy` operations may add: forty of them, each copying what the last one made, would fill any memory. */
const MAX_COPIED_CHARACTERS = 3 * 1024 * 1024;
const OPERATIONS = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test']);
const NEEDS_VALUE = new Set(['add', 'replace', 'test']);
const NEEDS_FROM = new Set(['move', 'copy']);
/** Segments that lead out of the object's own keys. */
const FORBIDDEN_SEGMENTS = new Set(['__proto__', 'constructor', 'prototype']);
const TOO_MUCH_COPIED = `the accumulated size increase of copy exceeds the limit ${MAX_COPIED_CHARACTERS}`;

function checkPointer(pointer: unknown, index: number): void {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/'))) {
    throw badRequest(`JSON patch: operation ${index} has no valid path`);
  }
  for (const key of segmentsOf(pointer)) {
    if (FORBIDDEN_SEGMENTS.has(key)) throw badRequest(`JSON patch: the path segment "${key}" is not allowed`);
  }
}

function segmentsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/**
 * Whether a pointer leads to a value, or with `asTarget` to a place where one can be added. The library does not ask:
 * it takes inherited properties and indices past the end for values.
 */
function leadsSomewhere(object: JsonObject, pointer: string, asTarget: boolean): boolean {
  const segments = segmentsOf(pointer);
  let value: unknown = object;
  for (const [depth, key] of segments.entries()) {
    const isTarget = asTarget && depth === segments.length - 1;
    if (Array.isArray(value)) {
      if (isTarget && key === '-') return true;
      const index = /^(0|[1-9]\d*)$/.test(key) ? Number(key) : Number.POSITIVE_INFINITY;
      if (index >= value.length + (isTarget ? 1 : 0)) return false;
      value = value[index];
    } else {
      if (!isJsonObject(value)) return false;
      if (!isTarget && !Object.hasOwn(value, key)) return false;
      value = value[key];
    }
  }
  return true;
}

const ADDS = new Set(['add', 'copy', 'move']);

/** How many characters of JSON an operation adds by copying. */
function copiedCharacters(object: JsonObject, operation: Operation): number {
  if (operation.op !== 'copy' || !leadsSomewhere(object, operation.from, false)) return 0;
  return JSON.stringify(valueAt(object, operation.from))?.length ?? 0;
}

function valueAt(object: JsonObject, pointer: string): unknown {
  return segmentsOf(pointer).reduce<unknown>((value, key) => (value as JsonObject)[key], object);
}

/** Applies one operation to `object`; says why if it cannot. */
function whyNot(object: JsonObject, operation: Operation): string | undefined {
  if (operation.path === '' && operation.op !== 'test') return 'the whole object cannot be replaced';
  const found =
    leadsSomewhere(object, operation.path, ADDS.has(operation.op)) &&
    (!('from' in operation) || leadsSomewhere(object, operation.from, false));
  if (!found) return 'the path does not exist';
  const [error] = applyPatch(object, [operation]);
  return error ? 'testing the value failed' : undefined;
}

function checkOperation(operation: unknown, index: number): void {
  if (!isJsonObject(operation)) throw badRequest(`JSON patch: operation ${index} is not an object`);
  const op = String(operation['op']);
  if (!OPERATIONS.has(op)) throw badRequest(`JSON patch: operation ${index} has the unknown op "${op}"`);
  checkPointer(operation['path'], index);
  if (NEEDS_FROM.has(op)) checkPointer(operation['from'], index);
  if (NEEDS_VALUE.has(op) && operation['value'] === undefined) {
    throw badRequest(`JSON patch: operation ${index} has no value`);
  }
}

/**
 * Applies an RFC 6902 patch to a copy of `object`. Throws 400 for a patch that is none, 413 for one that is too long,
 * and 422 when a test does not hold or a path does not exist; all of it is applied or nothing.
 */
export function applyJsonPatch(object: JsonObject, patch: unknown): JsonObject {
  if (!Array.isArray(patch)) throw badRequest('JSON patch: the patch is not a list of operations');
  if (patch.length > MAX_OPERATIONS) {
    throw new ApiError(
      413,
      'RequestEntityTooLarge',
      `the allowed maximum operations in a JSON patch is ${MAX_OPERATIONS}, got ${patch.length}`,
    );
  }
  patch.forEach(checkOperation);
  const copy = structuredClone(object);
  let copied = 0;
  for (const operation of patch as Operation[]) {
    copied += copiedCharacters(copy, operation);
    const why = copied > MAX_COPIED_CHARACTERS ? TOO_MUCH_COPIED : whyNot(copy, operation);
    if (why === undefined) continue;
    throw new ApiError(
      422,
      'Invalid',
      `JSON patch: ${operation.op} operation does not apply: ${operation.path}: ${why}`,
    );
  }
  return copy;
}
