import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';

export interface OutsideRequest {
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM; absent: public authorities, and those that this machine trusts. */
  readonly ca?: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface OutsideAnswer {
  readonly status: number;
  readonly body: string;
}

/** What gates ask for is small: who answers with more is no server for gates. */
const MOST_BYTES = 1024 * 1024;

/**
 * One request of the hub to a server that users named: certificates are verified, the time and the size of the answer are
 * bounded, and redirects are answers like any other, for they may lead anywhere. Rejects with what went wrong.
 */
export async function askOutside(asked: OutsideRequest): Promise<OutsideAnswer> {
  const timeout = AbortSignal.timeout(asked.timeoutMs);
  const signal = AbortSignal.any([timeout, asked.signal]);
  try {
    const response = await send(asked, signal);
    const { statusCode: status = 0 } = response;
    return { status, body: await bodyOf(response, signal) };
  } catch (error) {
    if (timeout.aborted) throw new Error(`it did not answer within ${asked.timeoutMs} ms`, { cause: error });
    throw error;
  }
}

function send(
  { url, method, headers, body, ca }: OutsideRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const all = {
      'User-Agent': 'holdfast-gate',
      'Accept-Encoding': 'identity',
      ...headers,
      ...(body !== undefined && { 'Content-Length': String(Buffer.byteLength(body)) }),
    };
    const options = { method, headers: all, signal, agent: false as const };
    const request: ClientRequest =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...options, ...(ca === undefined ? { secureContext: trusting() } : { ca }) })
        : httpRequest(url, options);
    request.once('error', reject);
    request.once('response', resolve);
    request.end(body);
  });
}

let trusted: SecureContext | undefined;

/** The public authorities that Node.js knows, and those that this machine has besides. */
function trusting(): SecureContext {
  trusted ??= createSecureContext({ ca: [...getCACertificates('default'), ...getCACertificates('system')] });
  return trusted;
}

async function bodyOf(response: IncomingMessage, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > MOST_BYTES) {
      response.destroy();
      throw new Error(`it answered with more than ${MOST_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  signal.throwIfAborted();
  return Buffer.concat(chunks).toString('utf8');
}
