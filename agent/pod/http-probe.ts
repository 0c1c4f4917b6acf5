import { get as httpGet, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { isIP, isIPv6 } from 'node:net';
import type { HTTPGetAction } from 'kubernetes-types/core/v1.d.ts';
import type { StopSignal } from '../runtime/stop-signal.ts';
import { PROBE_USER_AGENT } from './probe-user-agent.ts';

/* What the kubelet asks and believes: https://kubernetes.io/docs/concepts/workloads/pods/probes/#http-probes */

export interface HttpOutcome {
  readonly failure?: string;
  /** It counts as well, but is perhaps not what was meant. */
  readonly warning?: string;
}

const MOST_REDIRECTS = 10;
/** Of the answer's body, which must come; of more nothing is known. */
const MOST_BODY_BYTES = 10 * 1024;
const MOST_TOLD = 200;
const REDIRECTS: readonly (number | undefined)[] = [301, 302, 303, 307, 308];

/** Asks once, and follows where the same host leads. Rejects when there is no answer. */
export async function tryHttp(
  action: HTTPGetAction,
  target: { readonly host: string; readonly port: number },
  signal: StopSignal,
): Promise<HttpOutcome> {
  const first = urlOf(action, target);
  let headers = headersOf(action.httpHeaders ?? []);
  let url = first;
  for (let redirects = 0; ; redirects += 1) {
    const { status, location, body } = await ask(url, headers, signal);
    const next = REDIRECTS.includes(status) && location ? new URL(location, url) : undefined;
    if (next?.hostname !== first.hostname) return outcomeOf(status, body);
    if (redirects === MOST_REDIRECTS - 1) throw new Error(`stopped after ${MOST_REDIRECTS} redirects`);
    // The name that it was asked for by is that of the first address.
    if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(location ?? '')) headers = { ...headers, host: undefined };
    url = next;
  }
}

function outcomeOf(status: number, body: string): HttpOutcome {
  if (status < 200 || status >= 400) return { failure: `it answered with status ${status}` };
  if (status < 300) return {};
  const said = body.trim().slice(0, MOST_TOLD);
  return { warning: `Probe terminated redirects, Response body: ${said}` };
}

function urlOf(
  { path = '', scheme = 'HTTP', host }: HTTPGetAction,
  target: { host: string; port: number },
): URL {
  const name = host || target.host;
  const [shown = ''] = path.split('#');
  const url = new URL(`${scheme.toLowerCase()}://${isIPv6(name) ? `[${name}]` : name}:${target.port}/`);
  const [before = '', ...query] = shown.split('?');
  url.pathname = before;
  url.search = query.join('?');
  return url;
}

/** A name that is given again has several values; one of the usual ones that is given as empty is not sent. */
function headersOf(given: NonNullable<HTTPGetAction['httpHeaders']>): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { 'user-agent': PROBE_USER_AGENT, accept: '*/*' };
  for (const [name, values] of Map.groupBy(given, (each) => each.name.toLowerCase())) {
    const all = values.map(({ value }) => value);
    const isLeftOut = ['user-agent', 'accept', 'host'].includes(name) && all[0] === '';
    headers[name] = isLeftOut ? undefined : name === 'host' ? all.at(-1) : all;
  }
  return headers;
}

interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

async function ask(url: URL, headers: OutgoingHttpHeaders, signal: StopSignal): Promise<Answer> {
  // A probe asks whether the container answers, not who it is.
  const get = url.protocol === 'https:' ? (await import('node:https')).get : httpGet;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const options = {
    host,
    port: url.port,
    path: `${url.pathname}${url.search}`,
    headers: Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)),
    agent: false as const,
    rejectUnauthorized: false,
    servername: isIP(host) ? '' : host,
  };
  return new Promise<Answer>((resolve, reject) => {
    const sent = get(options, (response) => {
      const answer = { status: response.statusCode ?? 0, location: response.headers.location };
      takeBody(response, (body) => resolve({ ...answer, body }), fail);
    });
    const abort = () => fail(signal.reason as Error);
    // Whatever comes first ends the connection, and what follows from that is not heard of any more.
    function fail(error: Error): void {
      reject(error);
      sent.destroy();
    }
    sent.on('error', fail).on('close', () => signal.removeEventListener('abort', abort));
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
  });
}

/** `done` with all of it, or as much as is of interest; `fail` when it breaks off. */
function takeBody(
  response: IncomingMessage,
  done: (body: string) => void,
  fail: (error: Error) => void,
): void {
  const parts: Buffer[] = [];
  let size = 0;
  const end = () => done(Buffer.concat(parts).toString('utf8', 0, Math.min(size, MOST_BODY_BYTES)));
  response.on('data', (part: Buffer) => {
    parts.push(part);
    size += part.length;
    if (size < MOST_BODY_BYTES) return;
    end();
    response.destroy();
  });
  response.on('end', end).on('error', fail);
}
