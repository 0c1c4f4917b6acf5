import { ownValue } from '../resources/object.ts';
import { type Decoded, decode } from '../schema/decode.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import { type ObjectSchema, schemaOf } from '../schema/schema.ts';

const PREFIX = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';
/** Where a schema stands in a schema, or `true`, or a list of them: no type tells that, so decoding left it as it was. */
const EITHER = ['items', 'additionalProperties', 'additionalItems'];

/** Decodes a definition, also the parts of its schemas that their type does not describe. */
export function decodeDefinition(value: JsonObject): Decoded {
  const decoded = decode(schemaOf(`${PREFIX}.CustomResourceDefinition`), value);
  const reader = new SchemaReader(decoded);
  const spec = decoded.object['spec'];
  const versions = isJsonObject(spec) && Array.isArray(spec['versions']) ? spec['versions'] : [];
  for (const [index, version] of versions.entries()) {
    const schema = isJsonObject(version) && isJsonObject(version['schema']) ? version['schema'] : {};
    reader.read(ownValue(schema, 'openAPIV3Schema'), `spec.versions[${index}].schema.openAPIV3Schema`);
  }
  return { object: decoded.object, unknown: reader.unknown, errors: reader.errors };
}

class SchemaReader {
  readonly unknown: string[];
  readonly errors: string[];
  readonly #type: ObjectSchema = schemaOf(`${PREFIX}.JSONSchemaProps`);

  constructor({ unknown, errors }: Decoded) {
    this.unknown = [...unknown];
    this.errors = [...errors];
  }

  /** Reads what is below a schema that was decoded; puts what it reads in its place. */
  read(schema: unknown, path: string): void {
    if (!isJsonObject(schema)) return;
    for (const name of EITHER) {
      const inner = schema[name];
      if (isJsonObject(inner)) schema[name] = this.#schema(inner, `${path}.${name}`);
      else if (inner !== undefined && typeof inner !== 'boolean' && !Array.isArray(inner))
        this.errors.push(
          'json: cannot unmarshal into Go struct field JSONSchemaProps of type apiextensions.JSONSchemaPropsOrBool',
        );
    }
    for (const name of ['properties', 'patternProperties', 'definitions'])
      if (isJsonObject(schema[name]))
        for (const [key, inner] of Object.entries(schema[name])) this.read(inner, `${path}.${name}.${key}`);
    for (const name of ['allOf', 'anyOf', 'oneOf'])
      if (Array.isArray(schema[name]))
        for (const [index, inner] of schema[name].entries()) this.read(inner, `${path}.${name}[${index}]`);
    this.read(schema['not'], `${path}.not`);
  }

  #schema(value: JsonObject, path: string): JsonObject {
    const { object, unknown, errors } = decode(this.#type, value);
    this.unknown.push(...unknown.map((text) => text.replace('unknown field "', `unknown field "${path}.`)));
    this.errors.push(...errors);
    this.read(object, path);
    return object;
  }
}
