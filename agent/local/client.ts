import { get } from 'node:http';
import { socketPath } from './server.ts';
import type { LocalStatus } from './status.ts';

/** Asks the agent that runs on this device. Throws an error that says what to do when none does. */
export function readLocalStatus(runDir: string): Promise<LocalStatus> {
  const path = socketPath(runDir);
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(
        new Error(
          `no agent answers on "${path}": start it with "holdfast-agent run", or name its --run-dir`,
          {
            cause: error,
          },
        ),
      );
    const request = get({ socketPath: path, path: '/v1/status' }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve(JSON.parse(text) as LocalStatus));
    });
    request.once('error', fail);
  });
}
