import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { StoredMessage } from '../hub/protobuf/stored-message.ts';
import type { StoredComponent, StoredField } from '../hub/schema/stored-schema.ts';
import { groupVersionOf, type NamedComponent, nameComponent } from './schema/component-names.ts';
import { type MessageDescriptor, readDescriptors } from './schema/descriptors.ts';
import { describeField } from './schema/field-descriptions.ts';
import { ATOMIC_STRUCTS, FIELD_SEMANTICS, shortComponentName } from './schema/list-semantics.ts';
import { type Model, type ModelField, readModels } from './schema/models.ts';
import { readMessages } from './schema/protobuf-messages.ts';

export const SCHEMA_FILE = fileURLToPath(new URL('../hub/schema/generated/kubernetes.json', import.meta.url));
export const PROTOBUF_FILE = fileURLToPath(
  new URL('../hub/protobuf/generated/protobuf.json', import.meta.url),
);

const QUANTITY = 'k8s.io.apimachinery.pkg.api.resource.Quantity';
const SCALARS: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'boolean',
  number: 'number',
  Date: 'time',
  V1MicroTime: 'microtime',
  IntOrString: 'int-or-string',
  any: 'any',
  object: 'any',
};
const FORMATS: Readonly<Record<string, string>> = { int32: 'int32', int64: 'int64', byte: 'bytes' };

type Names = ReadonlyMap<string, NamedComponent>;

/** A model's type in the notation of the generated file: `[]T`, `{}T`, a scalar, or a component's name. */
function storedType(type: string, format: string, names: Names, isQuantity: boolean): string | undefined {
  const [, item] = /^Array<(.*)>$/.exec(type) ?? [];
  const [, value] = /^{ \[key: string\]: (.*); }$/.exec(type) ?? [];
  const inner = item ?? value;
  if (inner !== undefined) {
    const stored = storedType(inner, format, names, isQuantity);
    return stored && `${item === undefined ? '{}' : '[]'}${stored}`;
  }
  if (isQuantity) return 'quantity';
  return FORMATS[format] ?? SCALARS[type] ?? names.get(type)?.component;
}

function storedField(field: ModelField, named: NamedComponent, names: Names): StoredField {
  const isQuantity = named.message?.fields.get(field.name) === QUANTITY;
  const type = storedType(field.type, field.format, names, isQuantity);
  if (!type) throw new Error(`${named.component}.${field.name} has the unknown type ${field.type}`);
  const description = field.description || describeField(named.component, field.name);
  return {
    type,
    ...(field.required && { required: true }),
    ...FIELD_SEMANTICS[shortComponentName(named.component)]?.[field.name],
    ...(description && { description }),
  };
}

function isKind(model: Model): boolean {
  const names = new Set(model.fields.map(({ name }) => name));
  return names.has('apiVersion') && names.has('kind') && !/Reference$|ParamKind$/.test(model.className);
}

/** Types that are bodies of requests or answers by themselves; the rest is included when these need it. */
function isRoot(model: Model, named: NamedComponent): boolean {
  const groupVersion = groupVersionOf(named.component);
  const isStable = /^v\d+$/.test(groupVersion?.version ?? '');
  return isStable && isKind(model) && model.fields.some(({ name }) => ROOT_MARKS.has(name));
}
const ROOT_MARKS = new Set(['metadata', 'gracePeriodSeconds', 'groups', 'versions', 'resources']);

function storedComponent(model: Model, named: NamedComponent, names: Names): StoredComponent {
  const groupVersion = groupVersionOf(named.component);
  const kind = named.component.slice(named.component.lastIndexOf('.') + 1);
  return {
    ...(groupVersion && isKind(model) && { kinds: [[groupVersion.group, groupVersion.version, kind]] }),
    ...(ATOMIC_STRUCTS.has(shortComponentName(named.component)) && { atomic: true }),
    ...(model.description && { description: model.description }),
    fields: Object.fromEntries(model.fields.map((field) => [field.name, storedField(field, named, names)])),
  };
}

function groupByName(messages: readonly MessageDescriptor[]): Map<string, MessageDescriptor[]> {
  return Map.groupBy(messages, ({ name }) => name);
}

/** All components that the kinds need, by name, in the order of their names: the same for the same packages. */
export function generateComponents(): Record<string, StoredComponent> {
  const models = readModels();
  const messages = groupByName(readDescriptors());
  const names = new Map<string, NamedComponent>();
  for (const model of models) {
    const named = nameComponent(model, messages);
    if (named) names.set(model.className, named);
  }
  const byComponent = new Map<string, Model>();
  const waiting: string[] = [];
  for (const model of models) {
    const named = names.get(model.className);
    // The library also ships a few classes of older versions; those with the group in their names sort first.
    if (!named || byComponent.has(named.component)) continue;
    byComponent.set(named.component, model);
    if (isRoot(model, named)) waiting.push(named.component);
  }
  const components = new Map<string, StoredComponent>();
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const model = byComponent.get(name);
    const named = model && names.get(model.className);
    if (!named || components.has(name)) continue;
    const component = storedComponent(model, named, names);
    components.set(name, component);
    waiting.push(...Object.values(component.fields).map(({ type }) => type.replace(/^(\[\]|{})+/, '')));
  }
  checkSemantics(components);
  return Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A name in the hand-written tables that no type has is a mistake in them. */
function checkSemantics(components: ReadonlyMap<string, StoredComponent>): void {
  const byShortName = new Map(
    [...components].map(([name, component]) => [shortComponentName(name), component]),
  );
  for (const [name, fields] of Object.entries(FIELD_SEMANTICS)) {
    for (const field of Object.keys(fields)) {
      if (!byShortName.get(name)?.fields[field]) throw new Error(`list semantics name ${name}.${field}`);
    }
  }
  for (const name of ATOMIC_STRUCTS) {
    if (!byShortName.has(name)) throw new Error(`list semantics name ${name}`);
  }
}

/** Protobuf's side of the kinds that are sent to the hub: lists are only answered. */
export function generateMessages(
  components: Readonly<Record<string, StoredComponent>>,
): Record<string, StoredMessage> {
  const kinds = Object.keys(components).filter((name) => components[name]?.kinds && !name.endsWith('List'));
  return readMessages(kinds);
}

/** One line for each entry, so that two versions can be compared. */
export function linesOf(entries: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(entries).map(
    ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
  );
  return `{\n${lines.join(',\n')}\n}\n`;
}

/** Writes the schema. Whole files or none, because tests in other processes may read them meanwhile. */
export function generateSchema(): void {
  const components = generateComponents();
  write(PROTOBUF_FILE, linesOf(generateMessages(components)));
  write(SCHEMA_FILE, linesOf(components)); // last: set-up asks for its age
}

function write(file: string, text: string): void {
  const part = `${file}.${process.pid}`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(part, text);
  renameSync(part, file);
}

/** Writes the schema unless it is there. */
export function ensureSchema(): void {
  if (![SCHEMA_FILE, PROTOBUF_FILE].every((file) => existsSync(file))) generateSchema();
}

if (import.meta.main) generateSchema();
