import type { ManagedFieldsEntry } from '../resources/object.ts';
import { isJsonObject } from '../schema/json-type.ts';
import {
  decodeFields,
  encodeFields,
  type FieldSet,
  fieldElement,
  isEmptySet,
  NO_FIELDS,
  sameFields,
  unionAll,
} from './field-set.ts';

/** One entry of `metadata.managedFields` with its fields read. */
export interface Manager {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** RFC 3339, seconds. */
  readonly time: string | undefined;
  /** Empty for the main path. */
  readonly subresource: string;
  readonly fields: FieldSet;
}

const MAX_UPDATERS = 10;
const ANCIENT = 'ancient-changes';

function readEntry(entry: ManagedFieldsEntry): Manager {
  const { manager = '', operation, apiVersion = '', time, fieldsType, fieldsV1, subresource = '' } = entry;
  if (operation !== 'Apply' && operation !== 'Update') throw new Error('unknown operation');
  if (fieldsType !== 'FieldsV1') throw new Error('unknown type of fields');
  return { manager, operation, apiVersion, time, subresource, fields: decodeFields(fieldsV1 ?? {}) };
}

/** Reads entries; undefined if any of them is malformed. */
export function readManagers(entries: readonly ManagedFieldsEntry[] = []): Manager[] | undefined {
  try {
    return entries.map(readEntry);
  } catch {
    return undefined; // Kubernetes goes on with what it had rather than refuse the write
  }
}

/** Whether a client asks to forget all managers: an empty list, or one entry that says nothing. */
export function clearsManagers(entries: readonly ManagedFieldsEntry[] | undefined): boolean {
  const [first, ...rest] = entries ?? [];
  if (!entries || rest.length > 0) return false;
  return first === undefined || (isJsonObject(first) && Object.keys(first).length === 0);
}

/** Whether both are the same entry: an Apply manager is the same in every version. */
export function isSameManager(a: Manager, b: Manager): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion)
  );
}

/** Whether both lists give the same fields to the same managers; times do not count. */
export function sameManagers(a: readonly Manager[], b: readonly Manager[]): boolean {
  const fields = new Map(b.map((manager) => [identityOf(manager), manager.fields]));
  return (
    a.length === b.length &&
    a.every((manager) => {
      const others = fields.get(identityOf(manager));
      return others !== undefined && sameFields(manager.fields, others);
    })
  );
}

/** There can be thousands of managers in what a client sends. */
function identityOf({ manager, operation, apiVersion, subresource }: Manager): string {
  return JSON.stringify([manager, operation, apiVersion, subresource]);
}

function order(a: Manager, b: Manager): number {
  const keyOf = ({ operation, time = '', manager, apiVersion, subresource }: Manager): string[] => [
    operation,
    time,
    manager,
    apiVersion,
    subresource,
  ];
  const [left, right] = [keyOf(a), keyOf(b)];
  const at = left.findIndex((part, index) => part !== right[index]);
  return at < 0 ? 0 : (left[at] ?? '') < (right[at] ?? '') ? -1 : 1;
}

/** Merges the oldest Update entries of a version into one when there are too many: nobody tells them apart any more. */
function capUpdaters(managers: readonly Manager[]): Manager[] {
  const updaters = managers.filter(({ operation }) => operation === 'Update').sort(order);
  const ancient = new Map<string, Manager[]>();
  let excess = updaters.length - MAX_UPDATERS;
  const rest: Manager[] = [];
  for (const updater of updaters) {
    const merged = ancient.get(updater.apiVersion);
    if (excess <= 0 && updater.manager !== ANCIENT) rest.push(updater);
    else if (!merged) ancient.set(updater.apiVersion, [updater]);
    else {
      // The first of a version only becomes the bucket: the number of entries falls from the second on.
      excess--;
      merged.push(updater);
    }
  }
  const appliers = managers.filter(({ operation }) => operation === 'Apply');
  return [...appliers, ...[...ancient.values()].flatMap(mergeUpdaters), ...rest];
}

/** One entry for all, as old as the last of them. */
function mergeUpdaters(updaters: readonly Manager[]): Manager[] {
  const fields = unionAll(updaters.map((updater) => updater.fields));
  return updaters.slice(-1).map((last) => ({ ...last, manager: ANCIENT, subresource: '', fields }));
}

/** The entries as `metadata.managedFields` has them: none that is empty, in Kubernetes' order. */
export function writeManagers(managers: readonly Manager[]): ManagedFieldsEntry[] {
  return capUpdaters(managers.filter(({ fields }) => !isEmptySet(fields)))
    .sort(order)
    .map(({ manager, operation, apiVersion, time, subresource, fields }) => ({
      manager,
      operation,
      apiVersion,
      ...(time !== undefined && { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: encodeFields(fields),
      ...(subresource && { subresource }),
    }));
}

const UNTRACKED_METADATA = [
  'name',
  'namespace',
  'creationTimestamp',
  'selfLink',
  'uid',
  'clusterName',
  'generation',
  'managedFields',
  'resourceVersion',
].map(fieldElement);

function without(set: FieldSet, elements: readonly string[]): FieldSet {
  return {
    owned: false,
    children: new Map([...set.children].filter(([element]) => !elements.includes(element))),
  };
}

/** Only the fields that anybody can own through this path. */
export function trackable(set: FieldSet, subresource: string, hasStatus: boolean): FieldSet {
  if (subresource === 'status') {
    const status = set.children.get('f:status');
    return status ? { owned: false, children: new Map([['f:status', status]]) } : NO_FIELDS;
  }
  const elements = [
    'f:apiVersion',
    'f:kind',
    'f:metadata',
    ...(hasStatus && !subresource ? ['f:status'] : []),
  ];
  const metadata = without(set.children.get('f:metadata') ?? NO_FIELDS, UNTRACKED_METADATA);
  const { children } = without(set, elements);
  return {
    owned: false,
    children: isEmptySet(metadata) ? children : new Map([['f:metadata', metadata], ...children]),
  };
}
