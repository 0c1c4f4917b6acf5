import { notAcceptable, unknownPath } from '../resources/api-error.ts';
import { type OpenApiDocument, openApiOf } from '../schema/openapi.ts';
import { openApiV2Of } from '../schema/openapi-v2.ts';
import { sendCached } from './discovery.ts';
import type { Exchange } from './exchange.ts';
import { parseAccept } from './negotiate.ts';

const YEAR_MS = 365 * 86_400_000;
const JSON_TYPES = ['application/json', 'application/*', '*/*'];
/** As clients ask for it … */
const V2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
/** … and as it must be called in the answer: Go refuses a media type with an `@`. */
const V2_PROTOBUF_ANSWER = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

/** `/openapi/v3`, one document for each group version below it, and the types in the words of `/openapi/v2`. */
export function serveOpenApi(exchange: Exchange, [, version, ...path]: readonly string[]): void {
  if (version === 'v2' && path.length === 0) serveV2(exchange);
  else if (version === 'v3') serveV3(exchange, path.join('/'));
  else throw unknownPath();
}

function serveV3(exchange: Exchange, path: string): void {
  const { index, documents } = openApiOf(exchange.context.registry.definitions);
  const document = documents.get(path);
  if (path === '') sendCached(exchange, JSON.stringify(index), 'application/json');
  else if (document) serveDocument(exchange, path, document);
  else throw unknownPath();
}

/** With the right hash in its address a document never changes; with a wrong one the client is sent to the right. */
function serveDocument(exchange: Exchange, key: string, { body, hash }: OpenApiDocument): void {
  const { response, url } = exchange;
  const given = url.searchParams.get('hash');
  if (given && given !== hash) {
    response.writeHead(301, { Location: `/openapi/v3/${key}?hash=${hash}` }).end();
    return;
  }
  const immutable = {
    'Cache-Control': 'public, immutable',
    Expires: new Date(Date.now() + YEAR_MS).toUTCString(),
  };
  sendCached(exchange, body, 'application/json', { tag: hash, ...(given && { headers: immutable }) });
}

function serveV2(exchange: Exchange): void {
  const types = parseAccept(exchange.request.headers.accept).map(({ type }) => type);
  const first = types.find((type) => type === V2_PROTOBUF || JSON_TYPES.includes(type));
  if (first === undefined) throw notAcceptable(['application/json', V2_PROTOBUF]);
  const { json, protobuf } = openApiV2Of(exchange.context.registry.definitions);
  if (first === V2_PROTOBUF) sendCached(exchange, protobuf, V2_PROTOBUF_ANSWER);
  else sendCached(exchange, json, 'application/json');
}
