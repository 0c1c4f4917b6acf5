import { notAcceptable } from '../resources/api-error.ts';

/** How an answer is to be written. */
export interface Form {
  readonly format: 'json' | 'yaml';
  /** Undefined: the object as it is. */
  readonly as?: 'Table' | 'PartialObjectMetadata';
  /** Version of meta.k8s.io, when `as` is given. */
  readonly metaVersion: 'v1' | 'v1beta1';
}

export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const SERVED = ['application/json', 'application/yaml'];
const FORMATS = new Map<string, Form['format']>([
  ['application/json', 'json'],
  ['application/*', 'json'],
  ['*/*', 'json'],
  ['application/yaml', 'yaml'],
]);
const TRANSFORMS = new Map<string, NonNullable<Form['as']>>([
  ['Table', 'Table'],
  ['PartialObjectMetadata', 'PartialObjectMetadata'],
  ['PartialObjectMetadataList', 'PartialObjectMetadata'],
]);
export const PLAIN: Form = { format: 'json', metaVersion: 'v1' };

/** The entries of an Accept header in their order. Parameters may stand in any order. */
export function parseAccept(header: string | undefined): MediaType[] {
  return (header || '*/*').split(',').map(parseMediaType);
}

export function parseMediaType(text: string): MediaType {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim());
  const pairs = parameters.map((parameter): [string, string] => {
    const [key = '', value = ''] = parameter.split('=');
    return [key.trim().toLowerCase(), value.trim().replace(/^"|"$/g, '')];
  });
  return { type: type.toLowerCase(), parameters: new Map(pairs) };
}

/** The first form that the client accepts and the hub serves; throws 406. */
export function negotiate(accept: string | undefined): Form {
  for (const { type, parameters } of parseAccept(accept)) {
    const format = FORMATS.get(type);
    const as = parameters.get('as');
    if (!format) continue;
    if (as === undefined) return { format, metaVersion: 'v1' };
    const transform = TRANSFORMS.get(as);
    const version = parameters.get('v') ?? 'v1';
    if (!transform || parameters.get('g') !== 'meta.k8s.io') continue;
    if (version === 'v1' || version === 'v1beta1') return { format, as: transform, metaVersion: version };
  }
  throw notAcceptable(SERVED);
}
