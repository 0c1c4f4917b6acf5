import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { makeDirectory } from '../../proto/make-directory.ts';
import type { LeaseBook } from './lease-requests.ts';
import type { LocalStatus } from './status.ts';

/** What programs on the device can ask of the agent. */
export interface LocalApi {
  readonly status: () => LocalStatus;
  readonly leases: LeaseBook;
}

/** The agent's own socket, for programs on the device: no network, no hub, no token. Its file is for root alone. */
export function socketPath(runDir: string): string {
  return join(runDir, 'agent.sock');
}

/**
 * Leases and nothing else. Its directory is made to be mounted into pods, whoever runs in them: on the device itself only
 * root gets through to it.
 */
export function consentSocketPath(runDir: string): string {
  return join(runDir, 'consent', 'agent.sock');
}

const CONNECTIONS_AT_ONCE = 64;
/** Who is silent for so long in the middle of a request is let go. */
const SILENCE_MS = 5_000;
/** Who is slow is looked for this often only: a device at rest is not to be woken for it. */
const LOOK_FOR_SLOW_MS = 600_000;
const MAX_HEADER_BYTES = 8 * 1024;

/** Rejects with what to do when another agent answers there. */
export async function serveLocally(runDir: string, local: LocalApi): Promise<() => void> {
  const path = socketPath(runDir);
  makeDirectory(runDir, 'run-dir');
  if (await answers(path)) {
    throw new Error(
      `another agent answers on "${path}": stop that one, or give this one a --run-dir of its own`,
    );
  }
  const consent = consentSocketPath(runDir);
  mkdirSync(dirname(consent), { recursive: true });
  chmodSync(dirname(consent), 0o755);
  const servers = [
    await serve(path, 0o600, (request, response) => answer(request, response, local)),
    await serve(consent, 0o666, (request, response) => answerLeases(request, response, local.leases)),
  ];
  return () => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  };
}

async function serve(
  path: string,
  mode: number,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Server> {
  rmSync(path, { force: true }); // left by an agent that was killed
  const limits = { connectionsCheckingInterval: LOOK_FOR_SLOW_MS, maxHeaderSize: MAX_HEADER_BYTES };
  const server = createServer(limits, handle);
  server.timeout = SILENCE_MS;
  server.maxConnections = CONNECTIONS_AT_ONCE;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, mode);
  return server;
}

function answer(request: IncomingMessage, response: ServerResponse, { status, leases }: LocalApi): void {
  if (request.url?.startsWith('/v1/leases')) {
    answerLeases(request, response, leases);
    return;
  }
  if (request.method !== 'GET' || request.url !== '/v1/status') {
    response
      .writeHead(404, { 'Content-Type': 'text/plain' })
      .end('this socket serves GET /v1/status and /v1/leases\n');
    return;
  }
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(status()));
}

/** What answers them is loaded with the first: most devices never need it. */
function answerLeases(request: IncomingMessage, response: ServerResponse, leases: LeaseBook): void {
  void import('./lease-requests.ts').then(({ answerLeaseRequest }) =>
    answerLeaseRequest(request, response, leases),
  );
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const tell = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', tell(true));
    socket.once('error', tell(false));
  });
}
