import type { FieldError } from '../resources/api-error.ts';
import { forbiddenField, invalidValue, notSupported, required } from '../resources/field-errors.ts';
import { ownValue } from '../resources/object.ts';
import { isJsonObject, type JsonObject, sameJson } from '../schema/json-type.ts';
import { patternError } from '../schema/pattern.ts';
import { isEmbedded, isIntOrString, type JsonSchema, preservesUnknown, valuesOf } from './json-schema.ts';
import { prune } from './prune.ts';
import { valueErrors } from './validate-value.ts';

/*
 * Which schemas are structural: every value has one type, told outside of allOf, anyOf, oneOf and not, so that the hub
 * knows what to prune, what to fill in and how to merge.
 */

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const UNSUPPORTED = [
  '$ref',
  '$schema',
  'additionalItems',
  'definitions',
  'dependencies',
  'id',
  'patternProperties',
];
const LIST_TYPES = ['atomic', 'map', 'set'];
const MAP_TYPES = ['atomic', 'granular'];
/** What may not stand below allOf, anyOf, oneOf and not, where values are checked but no longer described. */
const DESCRIPTIVE = ['additionalProperties', 'default', 'description', 'nullable', 'title', 'type'] as const;
/** How deep a schema may nest, all kinds of nesting together. */
const MAX_DEPTH = 200;
/** How many values a schema may describe. */
const MAX_NODES = 100_000;

/** What is wrong with the schema of a version. */
export function structuralErrors(schema: JsonSchema, field: string): FieldError[] {
  const size = sizeOf(schema);
  if (size.depth > MAX_DEPTH || size.nodes > MAX_NODES)
    return [
      forbiddenField(field, `a schema may be ${MAX_DEPTH} levels deep and describe ${MAX_NODES} values`),
    ];
  const checker = new Checker();
  checker.root(schema, field);
  return checker.errors;
}

function sizeOf(schema: unknown): { depth: number; nodes: number } {
  let level: unknown[] = [schema];
  let nodes = 0;
  let depth = 0;
  for (; level.length > 0 && depth <= MAX_DEPTH * 2 && nodes <= MAX_NODES * 20; depth++) {
    nodes += level.length;
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []));
  }
  return { depth: depth / 2, nodes: nodes / 20 };
}

class Checker {
  readonly errors: FieldError[] = [];

  root(schema: JsonSchema, field: string): void {
    if (!schema.type) this.#add(required(`${field}.type`, 'must not be empty at the root'));
    else if (schema.type !== 'object')
      this.#add(invalidValue(`${field}.type`, schema.type, 'must be object at the root'));
    if (schema.nullable)
      this.#add(forbiddenField(`${field}.nullable`, 'nullable cannot be true at the root'));
    const metadata = ownValue(schema.properties, 'metadata');
    if (metadata) this.#metadata(metadata, `${field}.properties[metadata]`);
    this.#schema(schema, field);
  }

  #add(...errors: readonly FieldError[]): void {
    if (this.errors.length < 100) this.errors.push(...errors);
  }

  /** Metadata is described by Kubernetes: only names may be narrowed. */
  #metadata(metadata: JsonSchema, field: string): void {
    const extra = Object.keys(metadata.properties ?? {}).some(
      (name) => name !== 'name' && name !== 'generateName',
    );
    if (extra || metadata.required?.length)
      this.#add(
        forbiddenField(
          field,
          'must not specify anything other than name and generateName, but metadata is implicitly specified',
        ),
      );
  }

  #schema(schema: JsonSchema, field: string): void {
    this.#types(schema, field);
    this.#extensions(schema, field);
    this.#values(schema, field);
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const inner = `${field}.properties[${name}]`;
      this.#untyped(property, inner, 'must not be empty for specified object fields');
      this.#schema(property, inner);
    }
    const values = valuesOf(schema);
    if (values) {
      this.#untyped(values, `${field}.additionalProperties`, 'must not be empty for specified object fields');
      this.#schema(values, `${field}.additionalProperties`);
    }
    if (isJsonObject(schema.items)) {
      this.#untyped(schema.items, `${field}.items`, 'must not be empty for specified array items');
      this.#schema(schema.items, `${field}.items`);
    }
    this.#combined(schema, schema, field);
    this.#default(schema, field);
  }

  #untyped(schema: JsonSchema, field: string, why: string): void {
    if (!schema.type && !isIntOrString(schema) && !preservesUnknown(schema))
      this.#add(required(`${field}.type`, why));
  }

  #types(schema: JsonSchema, field: string): void {
    const { type, items, properties, additionalProperties } = schema;
    if (type === 'null')
      this.#add(
        forbiddenField(`${field}.type`, 'type cannot be set to null, use nullable as an alternative'),
      );
    else if (type && !TYPES.includes(type)) this.#add(notSupported(`${field}.type`, type, TYPES));
    for (const name of UNSUPPORTED)
      if (ownValue(schema as JsonObject, name) !== undefined)
        this.#add(forbiddenField(`${field}.${name}`, `${name} is not supported`));
    if (schema.uniqueItems)
      this.#add(
        forbiddenField(
          `${field}.uniqueItems`,
          'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
        ),
      );
    if (Array.isArray(items))
      this.#add(forbiddenField(`${field}.items`, 'items must be a schema object and not an array'));
    if (type === 'array' && items === undefined) this.#add(required(`${field}.items`, 'must be specified'));
    if (additionalProperties === false)
      this.#add(
        forbiddenField(`${field}.additionalProperties`, 'additionalProperties cannot be set to false'),
      );
    if (additionalProperties !== undefined && Object.keys(properties ?? {}).length > 0)
      this.#add(
        forbiddenField(
          `${field}.additionalProperties`,
          'additionalProperties and properties are mutual exclusive',
        ),
      );
  }

  #extensions(schema: JsonSchema, field: string): void {
    const { type, properties } = schema;
    const keeps = schema['x-kubernetes-preserve-unknown-fields'];
    if (keeps === false)
      this.#add(
        invalidValue(`${field}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'),
      );
    if (isEmbedded(schema)) {
      if (type !== 'object')
        this.#add(
          invalidValue(
            `${field}.type`,
            type ?? '',
            'must be object if x-kubernetes-embedded-resource is true',
          ),
        );
      if (!keeps && Object.keys(properties ?? {}).length === 0)
        this.#add(
          required(
            `${field}.properties`,
            'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
          ),
        );
      const metadata = ownValue(properties, 'metadata');
      if (metadata && metadata.type !== 'object')
        this.#add(invalidValue(`${field}.properties[metadata].type`, metadata.type ?? '', 'must be object'));
    }
    if (isIntOrString(schema) && type)
      this.#add(invalidValue(`${field}.type`, type, 'must be empty if x-kubernetes-int-or-string is true'));
    this.#listType(schema, field);
    this.#mapType(schema, field);
  }

  #mapType(schema: JsonSchema, field: string): void {
    const mapType = schema['x-kubernetes-map-type'];
    if (mapType === undefined) return;
    if (!MAP_TYPES.includes(mapType))
      this.#add(notSupported(`${field}.x-kubernetes-map-type`, mapType, MAP_TYPES));
    if (schema.type !== 'object')
      this.#add(
        invalidValue(
          `${field}.type`,
          schema.type ?? '',
          'must be object if x-kubernetes-map-type is specified',
        ),
      );
  }

  #listType(schema: JsonSchema, field: string): void {
    const listType = schema['x-kubernetes-list-type'];
    const keys = schema['x-kubernetes-list-map-keys'] ?? [];
    const at = `${field}.x-kubernetes-list-map-keys`;
    if (listType === undefined && keys.length > 0)
      this.#add(
        required(`${field}.x-kubernetes-list-type`, 'must be map if x-kubernetes-list-map-keys is non-empty'),
      );
    if (listType === undefined) return;
    if (schema.type !== 'array')
      this.#add(
        invalidValue(
          `${field}.type`,
          schema.type ?? '',
          'must be array if x-kubernetes-list-type is specified',
        ),
      );
    if (!LIST_TYPES.includes(listType))
      this.#add(notSupported(`${field}.x-kubernetes-list-type`, listType, LIST_TYPES));
    if (listType !== 'map') {
      if (keys.length > 0)
        this.#add(forbiddenField(at, 'must not be specified if x-kubernetes-list-type is not map'));
      if (listType === 'set') this.#setItems(schema.items ?? {}, `${field}.items`);
      return;
    }
    if (keys.length === 0) this.#add(required(at, 'must not be empty if x-kubernetes-list-type is map'));
    const items = schema.items ?? {};
    if (items.type !== 'object')
      this.#add(
        invalidValue(
          `${field}.items.type`,
          items.type ?? '',
          "must be object if parent array's x-kubernetes-list-type is map",
        ),
      );
    for (const [index, key] of keys.entries()) this.#mapKey(items, key, `${at}[${index}]`, `${field}.items`);
    if (new Set(keys).size !== keys.length)
      this.#add(invalidValue(at, keys, 'must not have duplicate entries'));
  }

  #mapKey(items: JsonSchema, key: string, at: string, field: string): void {
    const property = ownValue(items.properties, key);
    const inner = `${field}.properties[${key}]`;
    if (!property) {
      this.#add(invalidValue(at, key, 'entries must all be names of item properties'));
      return;
    }
    if (property.type === 'object' || property.type === 'array' || property.type === undefined)
      this.#add(
        invalidValue(
          `${inner}.type`,
          property.type ?? '',
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    if (property.nullable)
      this.#add(
        forbiddenField(
          `${inner}.nullable`,
          'this property is in x-kubernetes-list-map-keys, so it cannot be nullable',
        ),
      );
    if (property.default === undefined && !items.required?.includes(key))
      this.#add(
        required(
          `${inner}.default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      );
  }

  #setItems(items: JsonSchema, field: string): void {
    if (items.nullable)
      this.#add(forbiddenField(`${field}.nullable`, 'cannot be nullable when x-kubernetes-list-type is set'));
    if (items.type === 'array' && (items['x-kubernetes-list-type'] ?? 'atomic') !== 'atomic')
      this.#add(
        invalidValue(
          `${field}.x-kubernetes-list-type`,
          items['x-kubernetes-list-type'],
          'must be atomic as item of a list with x-kubernetes-list-type=set',
        ),
      );
    if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic')
      this.#add(
        invalidValue(
          `${field}.x-kubernetes-map-type`,
          items['x-kubernetes-map-type'] ?? null,
          'must be atomic as item of a list with x-kubernetes-list-type=set',
        ),
      );
  }

  #values({ pattern, enum: values, ...schema }: JsonSchema, field: string): void {
    const why = pattern ? patternError(pattern) : undefined;
    if (why)
      this.#add(
        invalidValue(`${field}.pattern`, pattern, `must be a valid regular expression, but isn't: ${why}`),
      );
    if (values !== undefined && !Array.isArray(values))
      this.#add(invalidValue(`${field}.enum`, values, 'must be a list'));
    for (const name of [
      'minLength',
      'maxLength',
      'minItems',
      'maxItems',
      'minProperties',
      'maxProperties',
    ] as const) {
      const bound = schema[name];
      if (bound !== undefined && bound < 0)
        this.#add(invalidValue(`${field}.${name}`, bound, 'must be greater than or equal to 0'));
    }
    if (schema.multipleOf !== undefined && schema.multipleOf <= 0)
      this.#add(invalidValue(`${field}.multipleOf`, schema.multipleOf, 'must be greater than 0'));
  }

  #combined(outer: JsonSchema, schema: JsonSchema, field: string): void {
    const isAny = isIntOrString(outer);
    for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
      if (isAny && name === 'anyOf' && isIntOrStringPair(schema.anyOf)) continue;
      for (const [index, inner] of (schema[name] ?? []).entries()) {
        const isPair = isAny && name === 'allOf' && index === 0 && isIntOrStringPair(inner.anyOf);
        if (isPair && Object.keys(inner).length === 1) continue;
        this.#nested(outer, inner, `${field}.${name}[${index}]`);
      }
    }
    if (schema.not) this.#nested(outer, schema.not, `${field}.not`);
  }

  /** A schema that only checks: whatever it names is described outside. */
  #nested(outer: JsonSchema, schema: JsonSchema, field: string): void {
    for (const name of DESCRIPTIVE)
      if (isSet(schema[name]))
        this.#add(forbiddenField(`${field}.${name}`, 'must be empty to be structural'));
    for (const name of Object.keys(schema))
      if (name.startsWith('x-kubernetes-') && name !== 'x-kubernetes-validations')
        this.#add(forbiddenField(`${field}.${name}`, 'must be undefined to be structural'));
    this.#values(schema, field);
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const described = ownValue(outer.properties, name) ?? valuesOf(outer);
      const inner = `${field}.properties[${name}]`;
      if (!described && !preservesUnknown(outer))
        this.#add(
          required(
            `${field.replace(/\.(?:allOf|anyOf|oneOf|not)\b.*$/, '')}.properties[${name}]`,
            `because it is defined in ${inner}`,
          ),
        );
      this.#nested(described ?? {}, property, inner);
    }
    if (isJsonObject(schema.items)) {
      if (!outer.items && !preservesUnknown(outer))
        this.#add(
          required(
            `${field.replace(/\.(?:allOf|anyOf|oneOf|not)\b.*$/, '')}.items`,
            `because it is defined in ${field}.items`,
          ),
        );
      this.#nested(outer.items ?? {}, schema.items, `${field}.items`);
    }
    this.#combined(outer, schema, field);
  }

  #default(schema: JsonSchema, field: string): void {
    const { default: value } = schema;
    if (value === undefined || this.errors.length > 0) return;
    const at = `${field}.default`;
    const pruned = prune(schema, value).value;
    if (!sameJson(pruned, value)) this.#add(invalidValue(at, value, 'must not have unknown fields'));
    this.#add(...valueErrors(schema, value, undefined, at).map((error) => ({ ...error, field: at })));
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== '' && value !== false;
}

function isIntOrStringPair(schemas: readonly JsonSchema[] | undefined): boolean {
  return schemas?.length === 2 && schemas[0]?.type === 'integer' && schemas[1]?.type === 'string';
}
