import { compileDefinition } from '../custom-resources/compile-definition.ts';
import type { JsonSchema } from '../custom-resources/json-schema.ts';
import type { ResourceDefinition } from '../resources/definition.ts';
import { DURATION_PATTERN } from './duration.ts';

export const FLEET_GROUP = 'fleet.holdfast.dev';
export const FLEET_VERSION = 'v1';
export const FLEET_API_VERSION = `${FLEET_GROUP}/${FLEET_VERSION}`;

/** A DaemonSet or Deployment names its RolloutPolicy by this annotation. */
export const POLICY_ANNOTATION = `${FLEET_GROUP}/rollout-policy`;

interface FleetKind {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly description: string;
  readonly spec: JsonSchema;
  readonly status?: JsonSchema;
}

/**
 * A kind of ours, told as the author of a custom resource tells it: schema, defaults, checks and `kubectl explain` all
 * follow from one structural schema. `more` adds what such a schema cannot say.
 */
export function defineFleetKind(
  { kind, plural, shortNames, description, spec, status }: FleetKind,
  more: Partial<ResourceDefinition> & Pick<ResourceDefinition, 'columns'>,
): ResourceDefinition {
  const names = {
    kind,
    plural,
    singular: kind.toLowerCase(),
    shortNames: [...shortNames],
    categories: ['fleet'],
  };
  const version = {
    name: FLEET_VERSION,
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        description,
        required: ['spec'],
        properties: { spec, ...(status && { status }) },
      },
    },
    ...(status && { subresources: { status: {} } }),
  };
  const compiled = compileDefinition({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${FLEET_GROUP}` },
    spec: { group: FLEET_GROUP, names, scope: 'Namespaced', versions: [version] },
  });
  return {
    ...compiled,
    ...more,
    validate: (object, old, part) => {
      const errors = compiled.validate?.(object, old, part) ?? [];
      return errors.length > 0 ? errors : (more.validate?.(object, old, part) ?? []);
    },
  };
}

/*
 * The words of those schemas.
 */

export function text(description: string, more: JsonSchema = {}): JsonSchema {
  return { type: 'string', description, ...more };
}

export function choice(description: string, values: readonly string[], more: JsonSchema = {}): JsonSchema {
  return text(description, { enum: values, ...more });
}

export function duration(description: string, byDefault?: string): JsonSchema {
  return text(`${description} A duration such as 90s, 15m or 1h30m.`, {
    pattern: DURATION_PATTERN,
    maxLength: 32,
    ...(byDefault !== undefined && { default: byDefault }),
  });
}

export function count(description: string, more: JsonSchema = {}): JsonSchema {
  return { type: 'integer', format: 'int32', minimum: 0, description, ...more };
}

export function flag(description: string, byDefault: boolean): JsonSchema {
  return { type: 'boolean', description, default: byDefault };
}

/** At most 100 %. */
export function percent(description: string, byDefault: string): JsonSchema {
  return text(`${description} A percentage, such as 95%.`, {
    pattern: '^(100|[1-9]?[0-9])%$',
    default: byDefault,
  });
}

/** A number, or a percentage of at most 100 %. */
export function amount(description: string, byDefault?: number | string): JsonSchema {
  return {
    'x-kubernetes-int-or-string': true,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    minimum: 0,
    pattern: '^(100|[1-9]?[0-9])%$',
    description: `${description} A number, or a percentage such as 5%.`,
    ...(byDefault !== undefined && { default: byDefault }),
  };
}

export function time(description: string): JsonSchema {
  return text(description, { format: 'date-time' });
}

/** A struct; `byDefault` `{}` for one whose own fields have defaults. */
export function struct(
  description: string,
  properties: Readonly<Record<string, JsonSchema>>,
  more: JsonSchema = {},
): JsonSchema {
  return { type: 'object', description, properties, ...more };
}

export function list(description: string, items: JsonSchema, more: JsonSchema = {}): JsonSchema {
  return { type: 'array', description, items, ...more };
}

/** Items that server-side apply tells apart by their name. */
export function named(description: string, items: JsonSchema, more: JsonSchema = {}): JsonSchema {
  return list(description, items, {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    ...more,
  });
}

export const LABEL_SELECTOR: Readonly<Record<string, JsonSchema>> = {
  matchLabels: {
    type: 'object',
    description: 'Labels that must be there, with these values.',
    additionalProperties: { type: 'string' },
  },
  matchExpressions: list(
    'Conditions on labels, all of which must hold.',
    struct(
      'One condition.',
      {
        key: text('The label.'),
        operator: choice('How the label is compared with the values.', [
          'In',
          'NotIn',
          'Exists',
          'DoesNotExist',
        ]),
        values: list('What the label may be, or may not be.', { type: 'string' }),
      },
      { required: ['key', 'operator'] },
    ),
  ),
};
