import { request } from 'node:http';
import { socketPath } from './server.ts';
import type { LocalStatus } from './status.ts';

export interface LocalAnswer {
  readonly code: number;
  readonly text: string;
}

const TIMEOUT_MS = 10_000;

/** Asks the agent that runs on this device. Throws an error that says what to do when none does. */
export async function readLocalStatus(runDir: string): Promise<LocalStatus> {
  const { text } = await askAgent(runDir, 'GET', '/v1/status');
  return JSON.parse(text) as LocalStatus;
}

export function askAgent(runDir: string, method: string, path: string, body?: object): Promise<LocalAnswer> {
  const socket = socketPath(runDir);
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(
        new Error(
          `no agent answers on "${socket}": start it with "holdfast-agent run", or name its --run-dir`,
          { cause: error },
        ),
      );
    const asked = request({ socketPath: socket, method, path, timeout: TIMEOUT_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ code: response.statusCode ?? 0, text }));
      response.on('error', fail);
    });
    asked.once('timeout', () => asked.destroy(new Error(`it was silent for ${TIMEOUT_MS / 1000} s`)));
    asked.once('error', fail);
    asked.end(body && JSON.stringify(body));
  });
}
