import { entriesOf, partsOf, type Setting, type Settings } from './settings.ts';

/** JSON Schema (draft 2020-12) of a file of these settings. Pure. */
export function schemaOfSettings(settings: Settings, title: string): object {
  const inFile = Object.entries(settings).filter(([, { isOfCommands }]) => !isOfCommands);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title,
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(inFile.map(([name, setting]) => [name, schemaOf(setting)])),
  };
}

function schemaOf({ about, type, oneOf, fallback }: Setting): object {
  return {
    description: about,
    ...typeOf(type),
    ...(oneOf && { enum: oneOf }),
    ...(fallback && { default: defaultOf(type, fallback) }),
  };
}

function typeOf(type: Setting['type']): object {
  if (type === 'integer' || type === 'boolean') return { type };
  const texts = { type: 'array', items: { type: 'string' } };
  if (type === 'words') return { ...texts, minItems: 1 };
  if (type === 'map') {
    const value = { anyOf: [{ type: 'string' }, { type: 'number' }, texts] };
    return { anyOf: [{ type: 'object', additionalProperties: value }, { type: 'string' }] };
  }
  return type === 'list' ? { anyOf: [texts, { type: 'string' }] } : { type: 'string' };
}

function defaultOf(type: Setting['type'], fallback: string): unknown {
  if (type === 'integer') return Number(fallback);
  if (type === 'boolean') return fallback === 'true';
  if (type === 'map') return Object.fromEntries(entriesOf(fallback));
  return type === 'list' ? partsOf(fallback) : fallback;
}
