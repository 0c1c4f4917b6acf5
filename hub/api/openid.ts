import { unknownPath } from '../resources/api-error.ts';
import type { Exchange } from './exchange.ts';
import { sendText } from './reply.ts';

/* With these two documents others can verify the tokens of service accounts without asking the hub each time. */

const KEYS_PATH = '/openid/v1/jwks';
const MAX_AGE = 'public, max-age=3600';

/** `/.well-known/openid-configuration`. */
export function openIdConfiguration(exchange: Exchange, segments: readonly string[]): void {
  if (segments.join('/') !== '.well-known/openid-configuration') throw unknownPath();
  const { issuer, algorithm } = exchange.context.access.accountTokens;
  send(exchange, 'application/json', {
    issuer,
    // Where the client reached the hub, which may have many names.
    jwks_uri: `https://${exchange.request.headers.host ?? new URL(issuer).host}${KEYS_PATH}`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [algorithm],
  });
}

/** `/openid/v1/jwks`. */
export function openIdKeys(exchange: Exchange, segments: readonly string[]): void {
  if (`/${segments.join('/')}` !== KEYS_PATH) throw unknownPath();
  send(exchange, 'application/jwk-set+json', exchange.context.access.accountTokens.publicKeys);
}

function send({ response }: Exchange, type: string, document: object): void {
  response.setHeader('Cache-Control', MAX_AGE);
  sendText(response, 200, JSON.stringify(document), type);
}
