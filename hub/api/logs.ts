import { ApiError, badRequest, type FieldError, invalid } from '../resources/api-error.ts';
import { forbiddenField, invalidValue, notSupported } from '../resources/field-errors.ts';
import type { PodObject } from '../resources/typed.ts';
import type { Exchange } from './exchange.ts';
import type { LogOptions } from './pod-streams.ts';
import { isYes } from './query.ts';
import { existing } from './read.ts';
import type { ResourceRequest } from './request-info.ts';

const STREAMS = ['All', 'Stdout', 'Stderr'] as const;

/** Throws 422. */
export function logOptionsOf(query: URLSearchParams): LogOptions {
  const errors: FieldError[] = [];
  const count = (key: string, least: number) => {
    const text = query.get(key);
    if (!text) return undefined;
    if (!/^-?\d+$/.test(text)) throw badRequest(`${key} must be an integer, is ${JSON.stringify(text)}`);
    if (Number(text) < least)
      errors.push(
        invalidValue(key, Number(text), `must be greater than ${least === 0 ? 'or equal to 0' : '0'}`),
      );
    return Number(text);
  };
  const [sinceSeconds, tailLines, limitBytes] = [
    count('sinceSeconds', 1),
    count('tailLines', 0),
    count('limitBytes', 1),
  ];
  const sinceTime = query.get('sinceTime') || undefined;
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime)))
    throw badRequest(`sinceTime must be a time, is ${JSON.stringify(sinceTime)}`);
  if (sinceTime !== undefined && sinceSeconds !== undefined)
    errors.push(
      forbiddenField('sinceSeconds', 'at most one of `sinceTime` or `sinceSeconds` may be specified'),
    );
  const given = query.get('stream') || 'All';
  const stream = STREAMS.find((each) => each === given);
  if (!stream) errors.push(notSupported('stream', given, STREAMS));
  if (errors.length > 0) throw invalid('', 'PodLogOptions', '', errors);
  return {
    follow: isYes(query, 'follow'),
    previous: isYes(query, 'previous'),
    timestamps: isYes(query, 'timestamps'),
    stream: stream ?? 'All',
    ...(sinceSeconds !== undefined && { sinceSeconds }),
    ...(sinceTime !== undefined && { sinceTime }),
    ...(tailLines !== undefined && { tailLines }),
    ...(limitBytes !== undefined && { limitBytes }),
  };
}

/** Whose output is meant; throws 400 when that is not clear. */
export function containerOf(pod: PodObject, given: string | null): string {
  const { name = '' } = pod.metadata;
  const inits = (pod.spec.initContainers ?? []).map((container) => container.name);
  const names = pod.spec.containers.map((container) => container.name);
  if (given) {
    const looking = (pod.spec.ephemeralContainers ?? []).map((container) => container.name);
    if ([...inits, ...names, ...looking].includes(given)) return given;
    throw badRequest(`container ${given} is not valid for pod ${name}`);
  }
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return only;
  const also = inits.length > 0 ? ` or one of the init containers: [${inits.join(' ')}]` : '';
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]${also}`,
  );
}

export async function logs(exchange: Exchange, target: ResourceRequest): Promise<void> {
  const { context, response, url } = exchange;
  const pod = existing(exchange, target) as PodObject;
  const container = containerOf(pod, url.searchParams.get('container'));
  const options = logOptionsOf(url.searchParams);
  if (!pod.spec.nodeName) throw badRequest(`pod ${pod.metadata.name} does not have a host assigned`);
  const ended = new AbortController();
  response.once('close', () => ended.abort());
  const signal = AbortSignal.any([ended.signal, context.closing]);
  const chunks = await context.streams.log({ pod, container, options }, signal);
  response.writeHead(200, { 'Content-Type': 'text/plain' });
  response.flushHeaders();
  await pipe(chunks, exchange, options.limitBytes);
}

/** Copies until either side ends; at most `limitBytes`. */
async function pipe(
  chunks: AsyncIterable<Uint8Array>,
  { response, context }: Exchange,
  limitBytes = Number.POSITIVE_INFINITY,
): Promise<void> {
  let left = limitBytes;
  try {
    for await (const chunk of chunks) {
      const part = chunk.length > left ? chunk.subarray(0, left) : chunk;
      left -= part.length;
      if (response.destroyed) return;
      if (!response.write(part)) await drained(response);
      if (left <= 0 || response.destroyed) break;
    }
  } catch (error) {
    if (response.destroyed || context.closing.aborted) return;
    // The head is sent: all that is left is to say in the text why it ends.
    const message = error instanceof ApiError ? error.message : 'the stream of the log broke off';
    response.write(`${message}\n`);
  }
  response.end();
}

function drained(response: Exchange['response']): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}
