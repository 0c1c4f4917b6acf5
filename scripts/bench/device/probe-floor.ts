import { Agent, get, type IncomingMessage, request } from 'node:http';
import { setTimeout } from 'node:timers/promises';

/*
 * What probes cost whoever makes them: the same commands and requests as the agent's, of the same containers, as often, and
 * nothing else. It is run without its types, and imports nothing of ours: it is to be as small as such a program can be.
 */

/** The argument, as JSON. */
export interface ProbeWork {
  readonly socketPath: string;
  readonly containers: readonly { readonly id: string; readonly ip: string }[];
  readonly command: readonly string[];
  readonly port: number;
  readonly path: string;
  readonly periodMs: number;
}

const { socketPath, containers, command, port, path, periodMs } = JSON.parse(
  process.argv.at(-1) ?? '',
) as ProbeWork;
const engine = new Agent({ keepAlive: true });

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  if ((response.statusCode ?? 500) >= 400) throw new Error(`${response.statusCode}: ${text}`);
  return text;
}

function call(method: string, target: string, body?: object): Promise<string> {
  const content = body && JSON.stringify(body);
  const headers = content
    ? { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(content) }
    : {};
  return new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({ socketPath, agent: engine, method, path: target, headers }, resolve);
    sent.once('error', reject).end(content);
  }).then(textOf);
}

async function execute(id: string): Promise<void> {
  const made = await call('POST', `/containers/${id}/exec`, {
    Cmd: command,
    AttachStdout: true,
    AttachStderr: true,
  });
  const { Id } = JSON.parse(made) as { Id: string };
  await call('POST', `/exec/${Id}/start`, { Detach: false, Tty: false });
  // The engine tells that a command has ended a moment after its output has.
  for (let waitMs = 0; ; waitMs = waitMs * 2 || 5) {
    const { Running, ExitCode } = JSON.parse(await call('GET', `/exec/${Id}/json`)) as {
      Running: boolean;
      ExitCode: number | null;
    };
    if (!Running && ExitCode === 0) return;
    if (!Running && ExitCode !== null) throw new Error(`the command ended with ${ExitCode}`);
    await setTimeout(waitMs);
  }
}

async function ask(host: string): Promise<void> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host, port, path, agent: false }, resolve).once('error', reject);
  });
  await textOf(response);
}

/** All at once, and the period begins when a probe has its answer: as few wakes as there can be. */
async function repeat(probe: () => Promise<void>): Promise<never> {
  for (;;) {
    await probe();
    await setTimeout(periodMs);
  }
}

console.log('"the probes begin"');
await Promise.all(containers.flatMap(({ id, ip }) => [repeat(() => execute(id)), repeat(() => ask(ip))]));
