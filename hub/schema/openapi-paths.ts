import type { ResourceDefinition } from '../resources/definition.ts';
import type { JsonObject } from './json-type.ts';
import { type Components, kindExtension } from './openapi-components.ts';
import { type GroupVersionKind, type ObjectSchema, schemaNames, schemaOf } from './schema.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/apply-patch+yaml',
];
const STRATEGIC = 'application/strategic-merge-patch+json';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Verbs of discovery by the method that a path offers them with. */
const METHODS: Readonly<Record<string, Method>> = {
  get: 'get',
  list: 'get',
  create: 'post',
  update: 'put',
  patch: 'patch',
  delete: 'delete',
  deletecollection: 'delete',
};

const parameter = (name: string, type: string, description: string): JsonObject => ({
  name,
  in: 'query',
  description,
  schema: { type, uniqueItems: true },
});

const WRITE_PARAMETERS = [
  parameter('dryRun', 'string', 'All: everything but the storing is done.'),
  parameter('fieldManager', 'string', 'Name of whoever makes the changes.'),
  parameter(
    'fieldValidation',
    'string',
    'What to do with unknown or duplicate fields: Ignore, Warn or Strict.',
  ),
];
const FORCE = parameter('force', 'boolean', 'Take fields from other managers. For apply patches only.');
const LIST_PARAMETERS = [
  parameter('labelSelector', 'string', 'Only objects with these labels.'),
  parameter('fieldSelector', 'string', 'Only objects with these fields.'),
  parameter('limit', 'integer', 'The most objects to answer with.'),
  parameter('continue', 'string', 'Where the last answer ended.'),
  parameter('resourceVersion', 'string', 'The revision to answer from.'),
  parameter('watch', 'boolean', 'Answer with changes as they come.'),
];
const DELETE_PARAMETERS = [
  parameter('dryRun', 'string', 'All: everything but the storing is done.'),
  parameter('gracePeriodSeconds', 'integer', 'Seconds until the object must be gone.'),
  parameter('propagationPolicy', 'string', 'What becomes of dependents: Orphan, Background or Foreground.'),
];

const PARAMETERS: Readonly<Record<string, readonly JsonObject[]>> = {
  list: LIST_PARAMETERS,
  create: WRITE_PARAMETERS,
  update: WRITE_PARAMETERS,
  patch: [...WRITE_PARAMETERS, FORCE],
  delete: DELETE_PARAMETERS,
  deletecollection: [...LIST_PARAMETERS, ...DELETE_PARAMETERS],
};

/** Kubernetes' words for verbs, in `x-kubernetes-action` and at the start of an operation's id. */
const ACTIONS: Readonly<Record<string, string>> = {
  create: 'post',
  update: 'put',
};
const ID_WORDS: Readonly<Record<string, string>> = {
  get: 'read',
  update: 'replace',
  deletecollection: 'deleteCollection',
};

function pathParameter(name: string): JsonObject {
  return { name, in: 'path', required: true, schema: { type: 'string', uniqueItems: true } };
}

/** Where a group version is served: `api/v1`, `apis/apps/v1`. */
export function groupVersionPath({ group, version }: { group: string; version: string }): string {
  return group ? `apis/${group}/${version}` : `api/${version}`;
}

/** Whether clients may send strategic merge patches: only for types that are compiled into them too. */
export function hasStrategicPatch(definition: ResourceDefinition): boolean {
  return typeof definition.schema === 'string' && schemaNames().includes(definition.schema);
}

let componentsByKind: Map<string, string> | undefined;

function kindKey({ group, version, kind }: GroupVersionKind): string {
  return `${group}/${version}/${kind}`;
}

/** The built-in component that describes a kind. */
function componentOf(kind: GroupVersionKind): ObjectSchema | undefined {
  componentsByKind ??= new Map(
    schemaNames().flatMap((name) =>
      (schemaOf(name).kinds ?? []).map((known) => [kindKey(known), name] as const),
    ),
  );
  const name = componentsByKind.get(kindKey(kind));
  return name === undefined ? undefined : schemaOf(name);
}

const SCALE: GroupVersionKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

/** One path of a resource, with what its operations speak of. */
interface Endpoint {
  readonly path: string;
  readonly verbs: readonly string[];
  readonly kind: GroupVersionKind;
  /** A reference to the schema of the body. */
  readonly body: JsonObject;
  readonly list?: JsonObject;
  /** Follows the kind in the ids of operations. */
  readonly suffix: string;
  readonly patchTypes: readonly string[];
  readonly namespaced: boolean;
}

/** Adds the paths of resources to a document, and the components that they need. */
export class PathBuilder {
  readonly #components: Components;
  readonly #schemaFor: (definition: ResourceDefinition) => ObjectSchema;
  readonly #paths = new Map<string, JsonObject>();

  constructor(components: Components, schemaFor: (definition: ResourceDefinition) => ObjectSchema) {
    this.#components = components;
    this.#schemaFor = schemaFor;
  }

  toJson(): JsonObject {
    return Object.fromEntries([...this.#paths].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  add(definition: ResourceDefinition): void {
    for (const endpoint of this.#endpoints(definition)) {
      const { path, namespaced } = endpoint;
      const names = [...path.matchAll(/{(\w+)}/g)].map(([, name = '']) => pathParameter(name));
      const operations = endpoint.verbs.flatMap((verb) => {
        const method = METHODS[verb];
        return method ? [[method, this.#operation(endpoint, verb, namespaced)] as const] : [];
      });
      this.#paths.set(path, {
        ...Object.fromEntries(operations),
        ...(names.length > 0 && { parameters: names }),
      });
    }
  }

  #endpoints(definition: ResourceDefinition): Endpoint[] {
    const { verbs } = definition;
    if (!verbs) return this.#allEndpoints(definition);
    return this.#allEndpoints(definition)
      .map((endpoint) => ({ ...endpoint, verbs: endpoint.verbs.filter((verb) => verbs.includes(verb)) }))
      .filter((endpoint) => endpoint.verbs.length > 0);
  }

  #allEndpoints(definition: ResourceDefinition): Endpoint[] {
    const prefix = `/${groupVersionPath(definition)}`;
    const { group, version, kind, plural, namespaced } = definition;
    const schema = this.#schemaFor(definition);
    const base = {
      kind: { group, version, kind },
      body: this.#components.schema(schema),
      ...((definition.verbs?.includes('list') ?? true) && { list: this.#list(definition, schema) }),
      suffix: '',
      patchTypes: hasStrategicPatch(definition) ? [...PATCH_TYPES, STRATEGIC] : PATCH_TYPES,
      namespaced,
    };
    const collection = namespaced ? `${prefix}/namespaces/{namespace}/${plural}` : `${prefix}/${plural}`;
    const item = `${collection}/{name}`;
    return [
      { ...base, path: collection, verbs: ['list', 'create', 'deletecollection'] },
      { ...base, path: item, verbs: ['get', 'update', 'patch', 'delete'] },
      ...(namespaced
        ? [
            {
              ...base,
              path: `${prefix}/${plural}`,
              verbs: ['list'],
              suffix: 'ForAllNamespaces',
              namespaced: false,
            },
          ]
        : []),
      ...(definition.hasStatus
        ? [{ ...base, path: `${item}/status`, verbs: ['get', 'update', 'patch'], suffix: 'Status' }]
        : []),
      ...this.#subresources(definition).map(({ name, verbs, kind: own }) => ({
        ...base,
        ...(own && this.#foreign(own)),
        path: `${item}/${name}`,
        verbs,
        suffix: name.charAt(0).toUpperCase() + name.slice(1),
      })),
    ];
  }

  #subresources({
    scale,
    parts = {},
    subresources = [],
  }: ResourceDefinition): NonNullable<ResourceDefinition['subresources']> {
    return [
      ...(scale ? [{ name: 'scale', verbs: ['get', 'update', 'patch'], kind: SCALE }] : []),
      ...Object.keys(parts).map((name) => ({ name, verbs: ['get', 'update', 'patch'] })),
      ...subresources,
    ];
  }

  #foreign(kind: GroupVersionKind): Pick<Endpoint, 'kind' | 'body'> {
    const schema = componentOf(kind);
    return { kind, body: schema ? this.#components.schema(schema) : { type: 'object' } };
  }

  #list(definition: ResourceDefinition, schema: ObjectSchema): JsonObject {
    const { group, version, kind } = definition;
    const listKind = { group, version, kind: definition.listKind ?? `${kind}List` };
    const known = componentOf(listKind);
    if (known) return this.#components.schema(known);
    return this.#components.add(`${schema.name ?? `${group}.${version}.${kind}`}List`, {
      description: `${kind}List is a list of ${kind}`,
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion: { type: 'string', description: 'The group and version of this representation.' },
        kind: { type: 'string', description: 'The kind of this list.' },
        metadata: {
          description: 'What there is to say of the list itself.',
          allOf: [this.#components.schema(schemaOf(`${META}.ListMeta`))],
        },
        items: { type: 'array', description: 'The objects.', items: this.#components.schema(schema) },
      },
      'x-kubernetes-group-version-kind': [kindExtension(listKind)],
    });
  }

  #operation(endpoint: Endpoint, verb: string, namespaced: boolean): JsonObject {
    const { group, version, kind } = endpoint.kind;
    const words = [group.split('.')[0] || 'core', version, namespaced ? 'namespaced' : '', kind];
    const id = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
    const body = this.#requestBody(endpoint, verb);
    return {
      operationId: `${ID_WORDS[verb] ?? verb}${id}${endpoint.suffix}`,
      'x-kubernetes-action': ACTIONS[verb] ?? verb,
      'x-kubernetes-group-version-kind': kindExtension(endpoint.kind),
      ...(PARAMETERS[verb] && { parameters: PARAMETERS[verb] }),
      ...(body && { requestBody: body }),
      responses: this.#responses(endpoint, verb),
    };
  }

  #requestBody(endpoint: Endpoint, verb: string): JsonObject | undefined {
    switch (verb) {
      case 'create':
      case 'update':
        return { required: true, content: content(['application/json', 'application/yaml'], endpoint.body) };
      case 'patch': {
        const patch = this.#components.add(`${META}.Patch`, {
          description: 'A patch of the kind that the Content-Type says.',
          type: 'object',
        });
        return { required: true, content: content(endpoint.patchTypes, patch) };
      }
      case 'delete':
      case 'deletecollection':
        return {
          content: content(['application/json'], this.#components.schema(schemaOf(`${META}.DeleteOptions`))),
        };
      default:
        return undefined;
    }
  }

  #responses(endpoint: Endpoint, verb: string): JsonObject {
    const answer = (body: JsonObject, description: string): JsonObject => ({
      description,
      content: content(['application/json'], body),
    });
    switch (verb) {
      case 'list':
        return { 200: answer(endpoint.list ?? endpoint.body, 'OK') };
      case 'create':
        return { 201: answer(endpoint.body, 'Created') };
      case 'delete':
      case 'deletecollection':
        return { 200: answer(this.#components.schema(schemaOf(`${META}.Status`)), 'OK') };
      default:
        return { 200: answer(endpoint.body, 'OK') };
    }
  }
}

function content(types: readonly string[], schema: JsonObject): JsonObject {
  return Object.fromEntries(types.map((type) => [type, { schema }]));
}
