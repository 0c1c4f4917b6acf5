import { engineAddressProblem } from '../../proto/engine-address.ts';
import type { Call, Flag } from '../cli/command.ts';

/* For commands that have images from the engine of this machine. */

const USUAL = 'unix:///var/run/docker.sock';

export const ENGINE: Readonly<Record<string, Flag>> = {
  'docker-host': { type: 'string', value: 'URL', about: `the engine; DOCKER_HOST (${USUAL})` },
};

/** Throws for what is no address. */
export function engineOf(call: Call): string {
  const engine = (call.text('docker-host') ?? call.surroundings.env['DOCKER_HOST']) || USUAL;
  const problem = engineAddressProblem(engine);
  if (problem) throw new Error(`--docker-host (DOCKER_HOST) ${problem}, is "${engine}"`);
  return engine;
}
