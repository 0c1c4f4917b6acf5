import {
  ANY,
  type Field,
  type MapSchema,
  type ObjectSchema,
  type Schema,
  schemaOf,
} from '../schema/schema.ts';
import { isEmbedded, isIntOrString, type JsonSchema, preservesUnknown, valuesOf } from './json-schema.ts';

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';
const SCALARS = ['string', 'number', 'boolean'];

/** JSON that no schema describes: objects merge field by field, all else is one whole. */
const UNTYPED: MapSchema = {
  type: 'map',
  get values() {
    return UNTYPED;
  },
};

/** How server-side apply and managedFields see a value; which values are valid is not told. */
function mergeSchema(schema: JsonSchema): Schema {
  const keepsUnknown = preservesUnknown(schema);
  if (isIntOrString(schema)) return ANY;
  if (schema.type === 'array') return listSchema(schema);
  if (schema.type !== 'object') return keepsUnknown ? UNTYPED : ANY;
  const atomic = schema['x-kubernetes-map-type'] === 'atomic' && { atomic: true };
  const values = valuesOf(schema);
  if (values) return { type: 'map', values: mergeSchema(values), ...atomic };
  if (schema.additionalProperties === true) return { ...UNTYPED, ...atomic };
  if (!schema.properties && !isEmbedded(schema)) return atomic ? { ...UNTYPED, ...atomic } : UNTYPED;
  return {
    type: 'object',
    fields: fieldsOf(schema),
    ...atomic,
    ...(keepsUnknown && { preservesUnknown: true }),
  };
}

function listSchema(schema: JsonSchema): Schema {
  const { items = {} } = schema;
  const type = schema['x-kubernetes-list-type'];
  return {
    type: 'list',
    items: mergeSchema(items),
    listType: type === 'set' || type === 'map' ? type : 'atomic',
    mapKeys: type === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []) : [],
  };
}

function fieldsOf(schema: JsonSchema): Map<string, Field> {
  const names = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([name, property]): [string, Field] => [
    name,
    {
      schema: mergeSchema(property),
      ...(names.has(name) && { required: true }),
      ...(SCALARS.includes(typeof property.default) && { default: property.default as string }),
    },
  ]);
  return new Map(isEmbedded(schema) ? [...fields, ...typeFields()] : fields);
}

function typeFields(): [string, Field][] {
  return [
    ['apiVersion', { schema: ANY }],
    ['kind', { schema: ANY }],
    ['metadata', { schema: schemaOf(OBJECT_META), description: "Standard object's metadata." }],
  ];
}

/** The schema of a custom resource as the rest of the hub uses schemas: merged by its fields, published as it is written. */
export function objectSchema(
  schema: JsonSchema,
  { group, version, kind }: { group: string; version: string; kind: string },
): ObjectSchema {
  const merged = mergeSchema({
    type: 'object',
    properties: {},
    ...schema,
    'x-kubernetes-embedded-resource': true,
  });
  const fields = merged.type === 'object' ? merged.fields : new Map(typeFields());
  const { 'x-kubernetes-embedded-resource': _, ...published } = schema;
  return {
    type: 'object',
    name: [...group.split('.').reverse(), version, kind].join('.'),
    fields,
    ...(preservesUnknown(schema) && { preservesUnknown: true }),
    published: {
      ...published,
      properties: { ...TYPE_PROPERTIES, ...schema.properties },
      'x-kubernetes-group-version-kind': [{ group, version, kind }],
    },
  };
}

const TYPE_PROPERTIES = {
  apiVersion: { type: 'string', description: 'The version of the API that the object is written in.' },
  kind: { type: 'string', description: 'What the object is.' },
};
