import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Names of HMAC-SHA256 of the body, in hexadecimal: GitHub's and Gitea's, and ours for everybody else. */
const SIGNATURES = ['x-hub-signature-256', 'x-holdfast-signature'];
/** GitLab sends the secret itself. */
const TOKEN = 'x-gitlab-token';
const PREFIX = 'sha256=';

/** Whether a push was told of by somebody who knows the secret. Takes as long whatever was sent. */
export function isFromServer(headers: IncomingHttpHeaders, body: Buffer, secret: string): boolean {
  const expected = createHmac('sha256', secret).update(body).digest('hex');
  const signed = SIGNATURES.map((name) => isSame(textOf(headers, name), `${PREFIX}${expected}`));
  const hasToken = isSame(textOf(headers, TOKEN), secret);
  return secret !== '' && (signed.includes(true) || hasToken);
}

function textOf(headers: IncomingHttpHeaders, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}

/** Of hashes: texts of different lengths could be told apart by the time. */
function isSame(given: string, wanted: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(wanted));
}
