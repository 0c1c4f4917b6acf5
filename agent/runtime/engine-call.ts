import { request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface EngineAnswer {
  readonly code: number;
  readonly text: string;
}

export interface EngineCallOptions {
  /** An archive, made while it is sent. When it throws, the engine sees a request that breaks off. */
  readonly archive?: AsyncIterable<Buffer>;
  /** How long the engine may be silent. */
  readonly timeoutMs?: number;
}

/**
 * One call of an engine (`unix:///path`, `tcp://host:port`), for programs that end soon after: the agent itself has its
 * runtime. Resolves with any answer; rejects when there is none.
 */
export async function callEngine(
  host: string,
  method: string,
  path: string,
  { archive, timeoutMs }: EngineCallOptions = {},
): Promise<EngineAnswer> {
  const url = new URL(host);
  const to = url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: url.port };
  const headers = archive ? { 'Content-Type': 'application/x-tar' } : {};
  const asked = request({
    ...to,
    method,
    path,
    headers,
    agent: false,
    ...(timeoutMs && { timeout: timeoutMs }),
  });
  const answered = new Promise<EngineAnswer>((resolve, reject) => {
    asked.once('timeout', () => asked.destroy(new Error(`no answer in ${(timeoutMs ?? 0) / 1000} s`)));
    asked.once('error', reject).once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.once('error', reject).once('end', () => resolve({ code: response.statusCode ?? 0, text }));
    });
  });
  const [answer] = await Promise.all([
    answered,
    archive ? pipeline(Readable.from(archive), asked) : asked.end(),
  ]);
  return answer;
}

/** What `docker load` takes. Rejects with what the engine says is wrong, which may be in the body of a 200. */
export async function loadImages(host: string, what: string, archive: AsyncIterable<Buffer>): Promise<void> {
  const { code, text } = await callEngine(host, 'POST', '/images/load?quiet=1', { archive });
  const [, problem] = /"error":"((?:[^"\\]|\\.)*)"/.exec(text) ?? [];
  if (code !== 200 || problem)
    throw new Error(
      `the engine did not take ${what}: ${problem ?? text.trim()}; see whether its disk is full`,
    );
}

/** The processor that the engine runs containers for, in Go's words. */
export async function architectureOf(host: string): Promise<string> {
  const { code, text } = await callEngine(host, 'GET', '/version');
  if (code !== 200) throw new Error(`the engine at ${host} answers ${code}: ${text.trim()}`);
  return (JSON.parse(text) as { Arch: string }).Arch;
}
