import { type Agent, type IncomingMessage, request } from 'node:http';
import { runtimeError } from './docker-errors.ts';
import { RuntimeError } from './runtime.ts';
import type { StopSignal } from './stop-signal.ts';

/*
 * Calls of the engine with as little ado as there can be: who runs a command makes three of them, and probes are most of what
 * an agent does at rest. Everything else goes through dockerode.
 */

/** Where the engine is, with the connections to it. */
export type EngineAddress = { readonly agent: Agent } & (
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: string | number }
);

export interface PlainCall {
  /** For people: what is attempted. */
  readonly what: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: object;
  /** Of the answer; what comes after that is read and forgotten. */
  readonly mostBytes: number;
  /** Called when the answer begins. */
  readonly onAnswer?: () => void;
}

/**
 * Resolves with the body of the answer. Rejects with a RuntimeError; once the signal is aborted with `engine-down` where the
 * engine has not answered, and with the signal's reason where its answer had not ended.
 */
export function callPlainly(to: EngineAddress, call: PlainCall, signal: StopSignal): Promise<Buffer> {
  const { what, method, path, body, mostBytes } = call;
  return new Promise((resolve, reject) => {
    const content = body && JSON.stringify(body);
    const headers = content
      ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content) }
      : {};
    const sent = request({ ...to, method, path, headers });
    let isAnswered = false;
    const abort = () => {
      const cause = signal.reason as Error;
      reject(isAnswered ? cause : new RuntimeError('engine-down', `${what}: ${LATE}`, { cause }));
      sent.destroy();
    };
    signal.addEventListener('abort', abort);
    const fail = (error: unknown) => {
      signal.removeEventListener('abort', abort);
      reject(runtimeError(what, error));
    };
    sent.on('error', fail).on('response', (response: IncomingMessage) => {
      isAnswered = true;
      call.onAnswer?.();
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('error', fail).on('data', (part: Buffer) => {
        if (bytes < mostBytes) parts.push(part);
        bytes += part.length;
      });
      response.on('end', () => {
        const { statusCode = 0 } = response;
        const all = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
        if (statusCode >= 300) return fail(refusal(statusCode, all.toString()));
        signal.removeEventListener('abort', abort);
        resolve(all);
      });
    });
    sent.end(content);
    if (signal.aborted) abort();
  });
}

const LATE = 'the engine did not answer in time';

/** What `runtimeError` understands. */
function refusal(statusCode: number, text: string): object {
  try {
    return { statusCode, json: JSON.parse(text) as object };
  } catch {
    return { statusCode, message: text };
  }
}
