import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { decodeProtobufBody, hasProtobuf } from '../protobuf/decode-body.ts';
import {
  ApiError,
  badRequest,
  entityTooLarge,
  invalid,
  unsupportedMediaType,
} from '../resources/api-error.ts';
import { apiVersionOf, type ResourceDefinition } from '../resources/definition.ts';
import { notSupported } from '../resources/field-errors.ts';
import type { KubeObject, ObjectMeta } from '../resources/object.ts';
import { decode } from '../schema/decode.ts';
import { isJsonObject, type JsonObject } from '../schema/json-type.ts';
import { type ParsedJson, parseJson } from '../schema/parse-json.ts';
import { schemaOf } from '../schema/schema.ts';
import { cleanMetadata } from './client-metadata.ts';
import { type Asking, type Exchange, warningsOf } from './exchange.ts';
import { parseMediaType } from './negotiate.ts';
import { parseYaml } from './parse-yaml.ts';

/** Kubernetes' own limit. */
export const BODY_LIMIT_BYTES = 3 * 1024 * 1024;
/** A client that sends slower than this is not one of ours. */
const BODY_TIMEOUT_MS = 60_000;
const DISCARD_LIMIT_BYTES = 4 * BODY_LIMIT_BYTES;
const DISCARD_TIMEOUT_MS = 5_000;
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const JSON_TYPE = 'application/json';
const TEXT_TYPES = [JSON_TYPE, 'application/yaml'];
const inflate = promisify(gunzip);

/** What a body holds before anything is known about its kind. */
export type ParsedBody = ParsedJson;

/** A type of object that a body can hold: a resource, or the kind of a subresource. */
export interface BodyKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: ResourceDefinition['schema'];
  readonly decode?: ResourceDefinition['decode'];
}

/** The bytes of the body, unpacked. Throws 400, 413 and 415. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip') throw unsupportedEncoding(encoding);
  const body = await receive(request);
  return encoding === 'gzip' && body.length > 0 ? unpack(body) : body;
}

async function receive(request: IncomingMessage): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > BODY_LIMIT_BYTES) throw tooLarge();
  const timer = setTimeout(() => request.destroy(), BODY_TIMEOUT_MS);
  try {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      sizeBytes += chunk.length;
      if (sizeBytes > BODY_LIMIT_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(timer);
  }
}

/** Stops at the limit: a few kilobytes can unpack to gigabytes. */
async function unpack(body: Buffer): Promise<Buffer> {
  try {
    return await inflate(body, { maxOutputLength: BODY_LIMIT_BYTES });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
    throw badRequest(`the body is not valid gzip: ${error instanceof Error ? error.message : error}`);
  }
}

function tooLarge(): ApiError {
  return entityTooLarge(`limit is ${BODY_LIMIT_BYTES}`);
}

function unsupportedEncoding(encoding: string): ApiError {
  const message = `the body of the request was in an unknown encoding "${encoding}" - accepted encodings include: gzip`;
  return new ApiError(415, 'UnsupportedMediaType', message, {});
}

/**
 * Reads what is left of a body that nobody wanted, so that the client reads the answer instead of a broken connection.
 * False when there is too much of it: then the connection cannot go on.
 */
export function discardBody(request: IncomingMessage): Promise<boolean> {
  if (request.complete || request.destroyed) return Promise.resolve(true);
  return new Promise((resolve) => {
    let sizeBytes = 0;
    const finish = (isRead: boolean) => {
      clearTimeout(timer);
      request.off('data', count).pause();
      resolve(isRead);
    };
    const count = (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > DISCARD_LIMIT_BYTES) finish(false);
    };
    const timer = setTimeout(() => finish(false), DISCARD_TIMEOUT_MS);
    request
      .on('data', count)
      .once('end', () => finish(true))
      .once('close', () => finish(true));
  });
}

/**
 * The body as JSON, whichever way it is written; `schema` names the type that it is to have, which protobuf does not say
 * by itself. `undefined` when there is none.
 */
export async function readTypedBody(
  exchange: Exchange,
  schema: BodyKind['schema'],
): Promise<ParsedBody | undefined> {
  if (typeof schema !== 'string' || !hasProtobuf(schema)) return readBodyAs(exchange, TEXT_TYPES, parseText);
  return readBodyAs(exchange, [...TEXT_TYPES, PROTOBUF], (type, body) =>
    type === PROTOBUF ? { value: decodeProtobufBody(schema, body), duplicates: [] } : parseText(type, body),
  );
}

/** The body as JSON, which is written as one of these types of text: patches are. `undefined` when there is none. */
export async function readParsedBody(
  exchange: Exchange,
  accepted: readonly string[],
): Promise<ParsedBody | undefined> {
  return readBodyAs(exchange, accepted, parseText);
}

async function readBodyAs(
  { request }: Exchange,
  accepted: readonly string[],
  read: (type: string, body: Buffer) => ParsedBody,
): Promise<ParsedBody | undefined> {
  const body = await readBody(request);
  const { type } = parseMediaType(request.headers['content-type'] || JSON_TYPE);
  if (body.length === 0) return undefined;
  if (!accepted.includes(type)) throw unsupportedMediaType(accepted);
  return read(type, body);
}

function parseText(type: string, body: Buffer): ParsedBody {
  if (!isUtf8(body)) throw badRequest('the body is not valid UTF-8');
  return type.endsWith('yaml') ? parseYaml(body.toString(), BODY_LIMIT_BYTES) : parseJson(body.toString());
}

type FieldValidation = 'Strict' | 'Warn' | 'Ignore';
const FIELD_VALIDATIONS = ['Ignore', 'Strict', 'Warn'];

function fieldValidationOf({ url }: Asking): FieldValidation {
  const value = url.searchParams.get('fieldValidation') || 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw invalid('meta.k8s.io', 'CreateOptions', '', [
    notSupported('fieldValidation', value, FIELD_VALIDATIONS),
  ]);
}

/** Makes an object of what a client sent: known fields of the right types only. Throws 400. */
export function decodeObject(exchange: Asking, kind: BodyKind, body: ParsedBody): KubeObject {
  const { value } = body;
  if (!isJsonObject(value)) throw badRequest(`the body is no object: a ${kind.kind} is wanted`);
  checkType(kind, value);
  const { object, unknown, errors } = kind.decode?.(value) ?? decode(schemaOf(kind.schema), value);
  const cannot = `${kind.kind} in version ${JSON.stringify(kind.version)} cannot be handled as a ${kind.kind}`;
  if (errors.length > 0) throw badRequest(`${cannot}: ${errors.join(', ')}`);
  const problems = [...body.duplicates, ...unknown];
  const validation = fieldValidationOf(exchange);
  if (validation === 'Strict' && problems.length > 0)
    throw badRequest(`${cannot}: strict decoding error: ${problems.join(', ')}`);
  if (validation === 'Warn') for (const problem of problems) exchange.warnings.add(problem);
  const given = isJsonObject(object['metadata']) ? (object['metadata'] as ObjectMeta) : {};
  const metadata = cleanMetadata(given, warningsOf(exchange));
  return { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind, metadata };
}

function checkType(expected: BodyKind, { apiVersion, kind }: JsonObject): void {
  const version = apiVersionOf(expected);
  if (apiVersion !== undefined && apiVersion !== '' && apiVersion !== version)
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${version})`,
    );
  if (kind !== undefined && kind !== '' && kind !== expected.kind)
    throw badRequest(`the kind in the data (${kind}) does not match the expected kind (${expected.kind})`);
}

/** The object in a request's body; throws 400 when there is none. */
export async function readObject(exchange: Exchange, kind: BodyKind): Promise<KubeObject> {
  const body = await readTypedBody(exchange, kind.schema);
  if (!body) throw badRequest(`unable to parse the body: it is empty, a ${kind.kind} is wanted`);
  return decodeObject(exchange, kind, body);
}
