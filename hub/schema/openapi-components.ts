import type { JsonObject } from './json-type.ts';
import type { Field, GroupVersionKind, ListSchema, ObjectSchema, ScalarType, Schema } from './schema.ts';

const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

const QUANTITY_DESCRIPTION =
  'A fixed-point number: a decimal with a suffix such as m, k, M, G, Ki, Mi or Gi, or with an exponent.';
const INT_OR_STRING_DESCRIPTION = 'Either an integer or a string.';

/** Scalars that have a component, so that clients show its name. */
const SHARED: ReadonlyMap<ScalarType, readonly [name: string, schema: JsonObject]> = new Map([
  [
    'quantity',
    [QUANTITY, { description: QUANTITY_DESCRIPTION, oneOf: [{ type: 'string' }, { type: 'number' }] }],
  ],
  [
    'int-or-string',
    [
      INT_OR_STRING,
      {
        description: INT_OR_STRING_DESCRIPTION,
        format: 'int-or-string',
        oneOf: [{ type: 'integer' }, { type: 'string' }],
      },
    ],
  ],
]);

function scalar(type: ScalarType): JsonObject {
  switch (type) {
    case 'int32':
    case 'int64':
      return { type: 'integer', format: type };
    case 'number':
      return { type: 'number', format: 'double' };
    case 'time':
    case 'microtime':
      return { type: 'string', format: 'date-time' };
    case 'bytes':
      return { type: 'string', format: 'byte' };
    case 'boolean':
      return { type: 'boolean' };
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true };
    default:
      return { type: 'string' };
  }
}

function isReference(schema: JsonObject): boolean {
  return '$ref' in schema;
}

export function reference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}

/** Collects the components of a document: those that are asked for and all that they refer to. */
export class Components {
  readonly #schemas = new Map<string, JsonObject>();

  /** All that was collected, in the order of names. */
  toJson(): JsonObject {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Adds a component that no schema describes. */
  add(name: string, schema: JsonObject): JsonObject {
    this.#schemas.set(name, schema);
    return reference(name);
  }

  /** The schema as OpenAPI has it: a reference where it has a name. */
  schema(schema: Schema): JsonObject {
    switch (schema.type) {
      case 'object':
        return this.#object(schema);
      case 'map':
        return {
          type: 'object',
          additionalProperties: this.schema(schema.values),
          ...(schema.atomic && { 'x-kubernetes-map-type': 'atomic' }),
        };
      case 'list':
        return this.#list(schema);
      default: {
        const shared = SHARED.get(schema.type);
        return shared ? this.add(...shared) : scalar(schema.type);
      }
    }
  }

  #object(schema: ObjectSchema): JsonObject {
    if (schema.name === undefined) return this.#content(schema);
    if (!this.#schemas.has(schema.name)) {
      this.#schemas.set(schema.name, {}); // its fields may lead back to it
      this.#schemas.set(schema.name, this.#content(schema));
    }
    return reference(schema.name);
  }

  #content(schema: ObjectSchema): JsonObject {
    if (schema.published) return this.#published(schema, schema.published);
    const fields = [...schema.fields];
    const required = fields.filter(([, field]) => field.required).map(([name]) => name);
    return {
      ...(schema.description && { description: schema.description }),
      type: 'object',
      ...(required.length > 0 && { required }),
      ...(fields.length > 0 && {
        properties: Object.fromEntries(fields.map(([name, field]) => [name, this.#field(field)])),
      }),
      ...(schema.preservesUnknown && { 'x-kubernetes-preserve-unknown-fields': true }),
      ...(schema.atomic && { 'x-kubernetes-map-type': 'atomic' }),
      ...(schema.kinds && { 'x-kubernetes-group-version-kind': schema.kinds.map(kindExtension) }),
    };
  }

  #published(schema: ObjectSchema, published: JsonObject): JsonObject {
    const metadata = schema.fields.get('metadata');
    if (!metadata) return published;
    const properties = { ...(published['properties'] as JsonObject), metadata: this.#field(metadata) };
    return { ...published, properties };
  }

  #field(field: Field): JsonObject {
    const type = this.schema(field.schema);
    const description = field.description || (field.schema.type === 'object' && field.schema.description);
    return {
      ...(description && { description }),
      // Beside a plain $ref everything else would be ignored.
      ...(isReference(type) ? { allOf: [type] } : type),
      ...(field.default !== undefined && { default: field.default }),
      ...(field.patchStrategy && { 'x-kubernetes-patch-strategy': field.patchStrategy }),
    };
  }

  #list(schema: ListSchema): JsonObject {
    return {
      type: 'array',
      items: this.schema(schema.items),
      'x-kubernetes-list-type': schema.listType,
      ...(schema.mapKeys.length > 0 && { 'x-kubernetes-list-map-keys': schema.mapKeys }),
      ...(schema.patchStrategy && { 'x-kubernetes-patch-strategy': schema.patchStrategy }),
      ...(schema.patchMergeKey && { 'x-kubernetes-patch-merge-key': schema.patchMergeKey }),
    };
  }
}

export function kindExtension({ group, version, kind }: GroupVersionKind): JsonObject {
  return { group, version, kind };
}
