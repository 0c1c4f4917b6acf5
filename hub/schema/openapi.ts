import { createHash } from 'node:crypto';
import type { ResourceDefinition } from '../resources/definition.ts';
import { Components } from './openapi-components.ts';
import { groupVersionPath, PathBuilder } from './openapi-paths.ts';
import { type ObjectSchema, schemaOf } from './schema.ts';

export const INFO = { title: 'Kubernetes', version: 'v1.34.1' };

/** The OpenAPI v3 document of one group version. */
export interface OpenApiDocument {
  /** The document as JSON. */
  readonly body: string;
  /** Changes with the content: part of the document's URL, and its ETag. */
  readonly hash: string;
}

/** All of OpenAPI that a set of definitions gives. */
export interface OpenApi {
  /** The answer to `GET /openapi/v3`. */
  readonly index: { readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>> };
  /** By the path of the group version: `apis/apps/v1`. */
  readonly documents: ReadonlyMap<string, OpenApiDocument>;
}

export type SchemaLookup = (definition: ResourceDefinition) => ObjectSchema;

function schemaByName(definition: ResourceDefinition): ObjectSchema {
  return schemaOf(definition.schema);
}

function buildDocument(definitions: readonly ResourceDefinition[], schemaFor: SchemaLookup): OpenApiDocument {
  const components = new Components();
  const paths = new PathBuilder(components, schemaFor);
  for (const definition of definitions) paths.add(definition);
  const body = JSON.stringify({
    openapi: '3.0.0',
    info: INFO,
    paths: paths.toJson(),
    components: { schemas: components.toJson() },
  });
  return { body, hash: createHash('sha256').update(body).digest('hex').toUpperCase() };
}

function build(definitions: readonly ResourceDefinition[], schemaFor: SchemaLookup): OpenApi {
  const groups = Map.groupBy(definitions, groupVersionPath);
  const documents = new Map(
    [...groups].map(([path, members]) => [path, documentOf(members, schemaFor)] as const),
  );
  const entries = [...documents].map(
    ([path, { hash }]) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }] as const,
  );
  return { index: { paths: Object.fromEntries(entries) }, documents };
}

interface Known {
  readonly members: readonly ResourceDefinition[];
  readonly schemaFor: SchemaLookup;
  readonly document: OpenApiDocument;
}

const documentsByFirst = new WeakMap<ResourceDefinition, Known>();

/** A document is made again only when one of its kinds is another: a custom kind concerns its own group alone. */
function documentOf(members: readonly ResourceDefinition[], schemaFor: SchemaLookup): OpenApiDocument {
  const [first] = members;
  const known = first && documentsByFirst.get(first);
  const isSame =
    known?.schemaFor === schemaFor &&
    known.members.length === members.length &&
    known.members.every((each, index) => each === members[index]);
  if (isSame) return known.document;
  const document = buildDocument(members, schemaFor);
  if (first) documentsByFirst.set(first, { members, schemaFor, document });
  return document;
}

const built = new WeakMap<readonly ResourceDefinition[], OpenApi>();

/**
 * OpenAPI v3 for these definitions. Built when a list of definitions is first asked for, and kept as long as the list:
 * whoever adds a kind must make a new list.
 */
export function openApiOf(
  definitions: readonly ResourceDefinition[],
  schemaFor: SchemaLookup = schemaByName,
): OpenApi {
  const known = built.get(definitions);
  if (known) return known;
  const openApi = build(definitions, schemaFor);
  built.set(definitions, openApi);
  return openApi;
}
