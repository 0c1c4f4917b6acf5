import { type ObjectSchema, type Schema, schemaOf } from '../../hub/schema/schema.ts';

type Json = Record<string, unknown>;

/** A built-in type as the schema of a definition tells it: as generators write pod templates into definitions. */
export function structuralSchemaOf(component: string): Json {
  return schemaJson(schemaOf(component));
}

function schemaJson(schema: Schema): Json {
  switch (schema.type) {
    case 'object':
      return objectJson(schema);
    case 'map':
      return {
        type: 'object',
        additionalProperties: schemaJson(schema.values),
        ...(schema.atomic && { 'x-kubernetes-map-type': 'atomic' }),
      };
    case 'list':
      return listJson(schema);
    case 'int32':
    case 'int64':
      return { type: 'integer', format: schema.type };
    case 'number':
    case 'boolean':
      return { type: schema.type };
    case 'int-or-string':
      return { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true };
    case 'quantity':
      return {
        anyOf: [{ type: 'integer' }, { type: 'string' }],
        pattern:
          '^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$',
        'x-kubernetes-int-or-string': true,
      };
    case 'time':
    case 'microtime':
      return { type: 'string', format: 'date-time' };
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true };
    default:
      return { type: 'string' };
  }
}

function objectJson({ name, description, fields, atomic }: ObjectSchema): Json {
  if (name?.endsWith('.ObjectMeta')) return { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const required = [...fields].filter(([, field]) => field.required).map(([key]) => key);
  return {
    type: 'object',
    ...(description && { description }),
    properties: Object.fromEntries(
      [...fields].map(([key, field]) => [
        key,
        { ...(field.description && { description: field.description }), ...schemaJson(field.schema) },
      ]),
    ),
    ...(required.length > 0 && { required }),
    ...(atomic && { 'x-kubernetes-map-type': 'atomic' }),
  };
}

function listJson(schema: Extract<Schema, { type: 'list' }>): Json {
  const items = schemaJson(schema.items);
  const { properties, required = [] } = items as { properties?: Record<string, Json>; required?: string[] };
  // Keys that are neither required nor have a default would not be keys.
  const canBeMap =
    schema.listType === 'map' && schema.mapKeys.every((key) => properties && required.includes(key));
  return {
    type: 'array',
    items,
    'x-kubernetes-list-type': canBeMap ? 'map' : 'atomic',
    ...(canBeMap && { 'x-kubernetes-list-map-keys': schema.mapKeys }),
  };
}

/** A definition as large and as varied as those of operators: pod templates, rules, defaults, conditions, two versions. */
export function largeDefinition(kind: string): Json {
  const plural = `${kind.toLowerCase()}s`;
  const template = structuralSchemaOf('io.k8s.api.core.v1.PodTemplateSpec');
  const string = { type: 'string' };
  const spec = {
    type: 'object',
    required: ['template'],
    properties: {
      replicas: { type: 'integer', format: 'int32', default: 1, minimum: 0 },
      template,
      sidecar: template,
      interval: {
        type: 'string',
        pattern:
          '^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$',
        default: '30s',
      },
      port: { anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true },
      values: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      raw: {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        'x-kubernetes-preserve-unknown-fields': true,
      },
      issuerRef: {
        type: 'object',
        required: ['name'],
        properties: { name: string, kind: { ...string, default: 'Issuer' }, group: string },
      },
      keyAlgorithm: { ...string, enum: ['RSA', 'ECDSA', 'Ed25519'] },
      dnsNames: { type: 'array', items: string, 'x-kubernetes-list-type': 'set' },
      sources: {
        type: 'array',
        maxItems: 32,
        items: {
          type: 'object',
          properties: { url: string, path: string, chart: string },
          oneOf: [{ required: ['path'] }, { required: ['chart'] }],
        },
      },
      endpoints: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name', 'protocol'],
        items: {
          type: 'object',
          required: ['name'],
          properties: {
            name: string,
            protocol: { ...string, default: 'TCP' },
            port: { type: 'integer', minimum: 1, maximum: 65_535 },
          },
        },
      },
    },
    'x-kubernetes-validations': [
      { rule: '!has(self.dnsNames) || self.dnsNames.all(n, n.size() < 254)', message: 'a name is too long' },
      { rule: 'self.replicas <= 10 || has(self.port)', message: 'many replicas need a port' },
      { rule: 'self.template.spec.containers.all(c, c.name != "forbidden")', message: 'no such container' },
    ],
  };
  const condition = {
    type: 'object',
    required: ['type', 'status'],
    properties: {
      type: string,
      status: { ...string, enum: ['True', 'False', 'Unknown'] },
      lastTransitionTime: { ...string, format: 'date-time' },
      reason: string,
      message: string,
    },
  };
  const status = {
    type: 'object',
    properties: {
      replicas: { type: 'integer' },
      selector: string,
      conditions: {
        type: 'array',
        items: condition,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
      },
    },
  };
  const version = (name: string, storage: boolean) => ({
    name,
    served: true,
    storage,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        description: `${kind} is what an operator would define.`,
        required: ['spec'],
        properties: { apiVersion: string, kind: string, metadata: { type: 'object' }, spec, status },
      },
    },
    subresources: {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.selector',
      },
    },
    additionalPrinterColumns: [
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: 'Desired', type: 'integer', jsonPath: '.spec.replicas' },
      { name: 'Issuer', type: 'string', jsonPath: '.spec.issuerRef.name', priority: 1 },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
  });
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.operators.example.com`,
      annotations: { 'controller-gen.kubebuilder.io/version': 'v0.18.0' },
    },
    spec: {
      group: 'operators.example.com',
      scope: 'Namespaced',
      names: {
        plural,
        kind,
        listKind: `${kind}List`,
        singular: kind.toLowerCase(),
        shortNames: [`${kind.toLowerCase().slice(0, 4)}`],
        categories: ['all', 'operators'],
      },
      versions: [version('v1beta1', false), version('v1', true)],
    },
  };
}
