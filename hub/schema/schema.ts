import { readFileSync } from 'node:fs';
import type { JsonObject } from './json-type.ts';
import type { StoredComponent, StoredField } from './stored-schema.ts';

/**
 * What the hub knows of the shape of a value: enough to decode, patch, apply and explain it. Nothing here is
 * specific to the built-in kinds, so that a custom resource's OpenAPI schema can be told in the same types.
 */
export type Schema = ObjectSchema | MapSchema | ListSchema | ScalarSchema;

/** How a strategic merge patch treats a field, when it is not the default for its type. */
export type PatchStrategy = 'merge' | 'replace' | 'retainKeys' | 'merge,retainKeys';

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A struct: its fields are known by name. Schemas may contain themselves, so they must not be walked blindly. */
export interface ObjectSchema {
  readonly type: 'object';
  /** Dotted component name; absent for a schema that is not shared. */
  readonly name?: string;
  readonly description?: string;
  readonly kinds?: readonly GroupVersionKind[];
  readonly fields: ReadonlyMap<string, Field>;
  /** Server-side apply replaces it as a whole. */
  readonly atomic?: boolean;
  /** Keeps fields that the schema does not name. */
  readonly preservesUnknown?: boolean;
  /** How OpenAPI tells it, in place of what its fields say; `metadata` is told by its field. */
  readonly published?: JsonObject;
}

/** A field of a struct. What depends on the field rather than on the type of its value stands here. */
export interface Field {
  readonly schema: Schema;
  readonly description?: string;
  readonly required?: boolean;
  /** What an absent key of a list item stands for; nothing is filled in with it. */
  readonly default?: string | number | boolean;
  readonly patchStrategy?: PatchStrategy;
}

/** Keys chosen by the client: labels, data, limits. */
export interface MapSchema {
  readonly type: 'map';
  readonly values: Schema;
  readonly atomic?: boolean;
}

export interface ListSchema {
  readonly type: 'list';
  readonly items: Schema;
  /** How server-side apply merges it. */
  readonly listType: 'atomic' | 'set' | 'map';
  /** The fields that identify an item; empty unless `listType` is `map`. */
  readonly mapKeys: readonly string[];
  /** How a strategic merge patch merges it; it is replaced when absent. */
  readonly patchStrategy?: PatchStrategy;
  /** The field by which a strategic merge patch finds an item. */
  readonly patchMergeKey?: string;
}

/** `int64` values are JavaScript numbers: exact to 2^53. `any` is JSON of any shape. */
export type ScalarType =
  | 'string'
  | 'int32'
  | 'int64'
  | 'number'
  | 'boolean'
  | 'int-or-string'
  | 'quantity'
  | 'time'
  | 'microtime'
  | 'bytes'
  | 'any';

export interface ScalarSchema {
  readonly type: ScalarType;
}

/** A schema for JSON of any shape. */
export const ANY: ScalarSchema = { type: 'any' };

const SCALARS: ReadonlyMap<string, ScalarSchema> = new Map<string, ScalarSchema>([
  ...scalars('string', 'int32', 'int64', 'number', 'boolean'),
  ...scalars('int-or-string', 'quantity', 'time', 'microtime', 'bytes'),
  ['any', ANY],
]);

function scalars(...types: ScalarType[]): [string, ScalarSchema][] {
  return types.map((type) => [type, { type }]);
}

/** Schemas of the built-in kinds by component name. A type is built when it is first asked for. */
class BuiltInSchemas {
  #components: Map<string, StoredComponent> | undefined;
  readonly #schemas = new Map<string, ObjectSchema>();

  get names(): readonly string[] {
    return [...this.#stored().keys()];
  }

  get(name: string): ObjectSchema | undefined {
    const known = this.#schemas.get(name);
    if (known) return known;
    const component = this.#stored().get(name);
    return component && this.#build(name, component);
  }

  #stored(): Map<string, StoredComponent> {
    this.#components ??= readComponents();
    return this.#components;
  }

  #build(name: string, component: StoredComponent): ObjectSchema {
    const fields = new Map<string, Field>();
    const schema: ObjectSchema = {
      type: 'object',
      name,
      fields,
      ...(component.description && { description: component.description }),
      ...(component.kinds && {
        kinds: component.kinds.map(([group, version, kind]) => ({ group, version, kind })),
      }),
      ...(component.atomic && { atomic: true }),
    };
    this.#schemas.set(name, schema); // before its fields, which may lead back to it
    for (const [field, stored] of Object.entries(component.fields)) fields.set(field, this.#field(stored));
    return schema;
  }

  #field(stored: StoredField): Field {
    const strategy = stored.patch as PatchStrategy | undefined;
    return {
      schema: this.#type(stored.type, stored),
      ...(stored.description && { description: stored.description }),
      ...(stored.required && { required: true }),
      ...(stored.default !== undefined && { default: stored.default }),
      ...(strategy && { patchStrategy: strategy }),
    };
  }

  #type(type: string, stored: StoredField): Schema {
    if (type.startsWith('[]')) return this.#list(type.slice(2), stored);
    if (type.startsWith('{}')) {
      const values = this.#type(type.slice(2), { type });
      return { type: 'map', values, ...(stored.atomic && { atomic: true }) };
    }
    const schema = SCALARS.get(type) ?? this.get(type);
    if (!schema) throw new Error(`the schema names "${type}", which it does not have`);
    return schema;
  }

  #list(items: string, stored: StoredField): ListSchema {
    const strategy = stored.patch as PatchStrategy | undefined;
    return {
      type: 'list',
      items: this.#type(items, { type: items }),
      listType: stored.list ?? 'atomic',
      mapKeys: stored.keys ?? [],
      ...(strategy && { patchStrategy: strategy }),
      ...(stored.patchKey && { patchMergeKey: stored.patchKey }),
    };
  }
}

function readComponents(): Map<string, StoredComponent> {
  const file = new URL('./generated/kubernetes.json', import.meta.url);
  try {
    return new Map(Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, StoredComponent>));
  } catch (cause) {
    throw new Error('read the generated schema (npm run generate makes it)', { cause });
  }
}

const builtIn = new BuiltInSchemas();

/**
 * The schema of a built-in type by its component name: `io.k8s.api.apps.v1.Deployment`; a schema that is none of these is
 * its own. Throws if there is none.
 */
export function schemaOf(component: string | ObjectSchema): ObjectSchema {
  if (typeof component !== 'string') return component;
  const schema = builtIn.get(component);
  if (!schema) throw new Error(`no schema is named "${component}"`);
  return schema;
}

/** Component names of every built-in type, whether it is served or not. */
export function schemaNames(): readonly string[] {
  return builtIn.names;
}
