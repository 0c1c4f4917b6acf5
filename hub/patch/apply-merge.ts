import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import type { ListSchema, Schema } from '../schema/schema.ts';
import { type FieldSet, fieldElement, isEmptySet, NO_FIELDS } from './field-set.ts';
import { type Part, partsOf } from './tracked-fields.ts';

/** What an apply makes of `live`: granular values merge, all others are taken from `applied`. Changes neither. */
export function mergeApplied(schema: Schema, live: unknown, applied: unknown): unknown {
  const liveParts = partsOf(schema, live);
  const appliedParts = partsOf(schema, applied);
  if (!liveParts || !appliedParts) return applied;
  if (schema.type === 'list') return mergeItems(liveParts, appliedParts);
  const merged: JsonObject = isJsonObject(live) ? { ...live } : {};
  for (const part of appliedParts) {
    const key = part.element.slice(2);
    merged[key] = merged[key] === undefined ? part.value : mergeApplied(part.schema, merged[key], part.value);
  }
  return merged;
}

/** The applied items in their order; before each, the live items that stand there and were not sent. */
function mergeItems(liveParts: readonly Part[], appliedParts: readonly Part[]): unknown[] {
  const live = new Map(liveParts.map((part) => [part.element, part.value]));
  const sent = new Set(appliedParts.map(({ element }) => element));
  const merged: unknown[] = [];
  let at = 0;
  const takeUnsent = (): void => {
    for (let part = liveParts[at]; part && !sent.has(part.element); part = liveParts[++at])
      merged.push(part.value);
  };
  for (const { element, schema, value } of appliedParts) {
    takeUnsent();
    const isKnown = live.has(element);
    merged.push(isKnown ? mergeApplied(schema, live.get(element), value) : value);
    if (isKnown) at++;
  }
  // Where the applied order differs, some live items are left over; those that were sent are in already.
  for (const part of liveParts.slice(at)) if (!sent.has(part.element)) merged.push(part.value);
  return merged;
}

/**
 * Removes from `value` the fields of `abandoned`, except those in `kept`. A list item goes with all that is in it unless
 * somebody keeps the item itself; what becomes empty goes too. Does not change its argument.
 */
export function prune(schema: Schema, value: unknown, abandoned: FieldSet, kept: FieldSet): unknown {
  const parts = partsOf(schema, value);
  if (!parts || abandoned.children.size === 0) return value;
  const rest = parts.flatMap((part) => {
    const result = prunePart(schema, part, abandoned, kept);
    return result === undefined ? [] : [{ element: part.element, value: result }];
  });
  const hasBecomeEmpty = rest.length === 0 && parts.length > 0;
  if (hasBecomeEmpty && !kept.owned) return undefined;
  if (schema.type === 'list') return rest.map((part) => part.value);
  return Object.fromEntries(rest.map((part) => [part.element.slice(2), part.value]));
}

function prunePart(schema: Schema, part: Part, abandoned: FieldSet, kept: FieldSet): unknown {
  const gone = abandoned.children.get(part.element);
  if (!gone) return part.value;
  const stays = kept.children.get(part.element) ?? NO_FIELDS;
  const isItem = schema.type === 'list';
  const isWanted = isItem ? stays.owned : !isEmptySet(stays);
  if (gone.owned && !isWanted) return undefined;
  return prune(part.schema, part.value, isItem ? withoutKeys(schema, gone) : gone, stays);
}

/** Keys of an item that stays must stay too. */
function withoutKeys(schema: ListSchema, set: FieldSet): FieldSet {
  const keys = new Set(schema.mapKeys.map(fieldElement));
  return { owned: set.owned, children: new Map([...set.children].filter(([element]) => !keys.has(element))) };
}

/** `prune` for a whole object, which never disappears. */
export function pruneObject(
  schema: Schema,
  object: JsonObject,
  abandoned: FieldSet,
  kept: FieldSet,
): JsonObject {
  const pruned = prune(schema, object, abandoned, kept);
  return isJsonObject(pruned) ? pruned : {};
}
