import fc, { type Arbitrary } from 'fast-check';
import { subresourcesOf } from '../../../../hub/api/discovery.ts';
import type { ResourceDefinition } from '../../../../hub/resources/definition.ts';
import { resources } from '../../../../hub/resources/table-of-resources.ts';
import { isJsonObject, type JsonObject } from '../../../../hub/schema/json-type.ts';
import { descriptorOf, envelope, fullMessage } from '../../protobuf/sample-messages.ts';
import { minimalObject } from '../../resources/minimal-objects.ts';
import { fragmentOf, jsonPatch, objectOf, strategicPatchOf, text } from './objects.ts';

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

const kind = fc.constantFrom(...resources);

/** Where a kind's objects are. */
export function collectionOf({ group, version, plural, namespaced }: ResourceDefinition): string {
  const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
  return `${root}${namespaced ? '/namespaces/default' : ''}/${plural}`;
}

/** An object of a kind that is there, or rarely is not, or a part of it that the kind has, or rarely has not. */
function placeOf(definition: ResourceDefinition): Arbitrary<string> {
  const parts = subresourcesOf(definition).map(({ name }) => `/${name}`);
  const name = fc.oneof(
    { weight: 15, arbitrary: fc.constant('sample') },
    { weight: 1, arbitrary: fc.constant('missing') },
  );
  const part = fc.oneof(
    { weight: 12, arbitrary: fc.constant('') },
    { weight: 12, arbitrary: fc.constantFrom('', ...parts) },
    { weight: 1, arbitrary: fc.constantFrom('/status', '/scale', '/x') },
  );
  return fc.tuple(name, part).map((words) => `${collectionOf(definition)}/${words.join('')}`);
}

const PARAMETERS = [
  ...[
    'fieldManager',
    'fieldValidation',
    'dryRun',
    'force',
    'labelSelector',
    'fieldSelector',
    'limit',
    'continue',
  ],
  ...[
    'resourceVersion',
    'resourceVersionMatch',
    'watch',
    'timeoutSeconds',
    'allowWatchBookmarks',
    'sendInitialEvents',
  ],
  ...[
    'gracePeriodSeconds',
    'propagationPolicy',
    'orphanDependents',
    'pretty',
    'includeObject',
    'timeout',
    'x',
  ],
];
const VALUES = [
  '',
  '0',
  '1',
  '-1',
  'true',
  'false',
  'All',
  'Strict',
  'Warn',
  'Exact',
  'NotOlderThan',
  'Background',
  'Orphan',
  'Metadata',
  '1e999',
  '99999999999999999999',
  'NaN',
];

const SELECTOR_WORDS = [
  'a',
  'b/c',
  'x'.repeat(64),
  '=',
  '==',
  '!=',
  '!',
  ',',
  'in',
  'notin',
  '(',
  ')',
  '<',
  '>',
  '1',
  ' ',
  '\\',
  'metadata.name',
  'constructor',
  'spec.nodeName',
  'status.phase',
  'involvedObject.uid',
  '.',
];

/** Words of both selector languages in any order. */
export const selector: Arbitrary<string> = fc.oneof(
  fc.array(fc.constantFrom(...SELECTOR_WORDS), { maxLength: 10 }).map((words) => words.join('')),
  text,
);

/** Like the hub's own tokens, in part. */
export const continueToken: Arbitrary<string> = fc.oneof(
  fc
    .tuple(fc.jsonValue(), fc.jsonValue())
    .map(([id, start]) => base64url({ v: 'meta.k8s.io/v1', id, start })),
  fc.jsonValue().map(base64url),
  text,
);

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

const parameter = fc.oneof(
  fc.tuple(fc.constantFrom(...PARAMETERS), fc.oneof(fc.constantFrom(...VALUES), text)),
  fc.tuple(fc.constantFrom('labelSelector', 'fieldSelector'), selector),
  fc.tuple(fc.constant('continue'), continueToken),
);

/** With the question mark, or nothing. Watches end soon. */
export const query: Arbitrary<string> = fc.array(parameter, { maxLength: 4 }).map((pairs) => {
  const all = pairs.map(([key, value]) => `${key}=${escaped(value)}`);
  return all.length > 0 ? `?${all.join('&')}` : '';
});

/** A lone surrogate cannot be escaped, nor sent. */
function escaped(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** A new object, or one in the place of another. */
export const write: Arbitrary<FuzzRequest> = kind.chain((definition) =>
  fc
    .tuple(fc.boolean(), placeOf(definition), objectOf(definition), query)
    .map(([isNew, place, object, search]) => ({
      method: isNew ? 'POST' : 'PUT',
      path: (isNew ? place.replace(/\/(sample|missing)$/, '') : place) + search,
      headers: JSON_TYPE,
      body: JSON.stringify(isNew ? renamed(object, 'fresh') : object),
    })),
);

function renamed(object: JsonObject, name: string): JsonObject {
  return isJsonObject(object['metadata']) ? { ...object, metadata: { ...object['metadata'], name } } : object;
}

export const patch: Arbitrary<FuzzRequest> = kind.chain((definition) => {
  const { apiVersion, kind: ownKind } = minimalObject(definition);
  const applied = fragmentOf(definition).map((fragment) => ({ apiVersion, kind: ownKind, ...fragment }));
  const content: Arbitrary<readonly [type: string, value: unknown]> = fc.oneof(
    jsonPatch.map((value) => ['json-patch+json', value] as const),
    fragmentOf(definition).map((value) => ['merge-patch+json', value] as const),
    strategicPatchOf(definition).map((value) => ['strategic-merge-patch+json', value] as const),
    applied.map((value) => ['apply-patch+yaml', value] as const),
    applied.map((value) => ['apply-patch+yaml', value] as const),
  );
  return fc.tuple(placeOf(definition), content, query).map(([place, [type, value], search]) => ({
    method: 'PATCH',
    path: `${place}${search || '?fieldManager=fuzz'}`,
    headers: { 'content-type': `application/${type}` },
    body: JSON.stringify(value),
  }));
});

export const deletion: Arbitrary<FuzzRequest> = kind.chain((definition) =>
  fc
    .tuple(placeOf(definition), query, fc.jsonValue({ maxDepth: 2 }), fc.boolean())
    .map(([place, search, options, isDry]) => ({
      method: 'DELETE',
      path: place + search,
      headers: JSON_TYPE,
      body: JSON.stringify(isDry ? { dryRun: ['All'], options } : options),
    })),
);

const ACCEPTS = [
  'application/json',
  'application/yaml',
  '*/*',
  'application/json;as=Table;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/vnd.kubernetes.protobuf,application/json',
  'text/html',
  '',
];
const header = fc.oneof(fc.constantFrom(...ACCEPTS), fc.stringMatching(/^[ -~]{0,20}$/));

/** Headers of any content that HTTP allows. */
const headers: Arbitrary<Record<string, string>> = fc.record(
  {
    accept: header,
    'content-type': header,
    'accept-encoding': header,
    'if-none-match': header,
    'user-agent': fc.oneof(header, fc.constant('/'.repeat(200))),
    'content-encoding': fc.constantFrom('identity', 'br', 'x'),
    authorization: header,
  },
  { requiredKeys: [] },
);

export const read: Arbitrary<FuzzRequest> = kind.chain((definition) =>
  fc
    .tuple(
      fc.constantFrom('GET', 'HEAD'),
      fc.oneof(fc.constant(collectionOf(definition)), placeOf(definition)),
      query,
      headers,
    )
    .map(([method, place, search, given]) => ({ method, path: place + search, headers: given })),
);

const SEGMENTS = [
  'api',
  'apis',
  'v1',
  'apps',
  'namespaces',
  'default',
  'pods',
  'sample',
  'log',
  'openapi',
  'v3',
  'v2',
  'version',
  'healthz',
  '%00',
  '%2f',
  '%',
  '..',
  '.',
  '',
  '%ff',
  'a:b',
  'exec',
  'portforward',
  '__proto__',
  'constructor',
];

/** Any method on any path, with any headers. */
export const stray: Arbitrary<FuzzRequest> = fc
  .tuple(
    fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'),
    fc.array(fc.oneof(fc.constantFrom(...SEGMENTS), text.map(escaped)), { maxLength: 8 }),
    query,
    headers,
    fc.option(fc.uint8Array({ maxLength: 40 })),
  )
  .map(([method, segments, search, given, body]) => ({
    method,
    path: `/${segments.join('/')}${search}`,
    headers: given,
    ...(body && { body }),
  }));

/** Bytes of a message with all of its fields, some of them changed, or cut off. */
function broken(message: Uint8Array): Arbitrary<Uint8Array> {
  const change = fc.tuple(
    fc.nat(message.length - 1),
    fc.oneof(fc.nat(255), fc.constantFrom(0, 0x7f, 0x80, 0xff)),
  );
  return fc.tuple(fc.array(change, { maxLength: 6 }), fc.nat(message.length)).map(([changes, end]) => {
    const copy = Uint8Array.from(message);
    for (const [at, byte] of changes) copy[at] = byte;
    return end % 3 === 0 ? copy.subarray(0, end) : copy;
  });
}

const PROTOBUF = { 'content-type': 'application/vnd.kubernetes.protobuf' };

export const protobuf: Arbitrary<FuzzRequest> = kind.chain((definition) => {
  const descriptor = descriptorOf(String(definition.schema));
  const { apiVersion = '', kind: name = '' } = minimalObject(definition);
  const whole = descriptor ? envelope(apiVersion, name, fullMessage(descriptor)) : Buffer.from('k8s\0');
  const bytes = fc.oneof(
    { weight: 4, arbitrary: broken(whole) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ maxLength: 60 }).map((tail) => Buffer.concat([Buffer.from('k8s\0'), tail])),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }) },
  );
  return fc.tuple(fc.constantFrom('POST', 'PUT', 'DELETE'), bytes).map(([method, body]) => ({
    method,
    path: method === 'POST' ? collectionOf(definition) : `${collectionOf(definition)}/sample`,
    headers: PROTOBUF,
    body,
  }));
});

/** Text that is hardly JSON or YAML. */
export const garbage: Arbitrary<FuzzRequest> = kind.chain((definition) => {
  const whole = JSON.stringify(minimalObject(definition));
  const yaml = fc.array(
    fc.constantFrom(
      'a: ',
      '- ',
      '&x ',
      '*x ',
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '\n',
      '  ',
      '? ',
      '| ',
      '> ',
      '!!str ',
      '<<: ',
      '---',
      '%',
      '#',
      'metadata:',
      'name: b',
      '\t',
      ',',
      '1',
      '\u0000',
    ),
    { maxLength: 30 },
  );
  const body = fc.oneof(
    broken(Buffer.from(whole)),
    yaml.map((words) => Buffer.from(words.join(''))),
    fc.uint8Array({ maxLength: 30 }),
    fc.json().map((json) => Buffer.from(json)),
  );
  return fc.tuple(fc.constantFrom('application/json', 'application/yaml'), body).map(([type, content]) => ({
    method: 'POST',
    path: collectionOf(definition),
    headers: { 'content-type': type },
    body: content,
  }));
});
