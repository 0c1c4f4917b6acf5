import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { LocalStatus } from './status.ts';

/** The agent's own socket, for programs on the device: no network, no hub, no token. Its file is for root alone. */
export function socketPath(runDir: string): string {
  return join(runDir, 'agent.sock');
}

/** Rejects with what to do when another agent answers there. */
export async function serveLocally(runDir: string, status: () => LocalStatus): Promise<Server> {
  const path = socketPath(runDir);
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  if (await answers(path)) {
    throw new Error(
      `another agent answers on "${path}": stop that one, or give this one a --run-dir of its own`,
    );
  }
  rmSync(path, { force: true }); // left by an agent that was killed
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/v1/status') {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('this socket serves GET /v1/status\n');
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(status()));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return server;
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
