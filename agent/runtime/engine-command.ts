import Docker from 'dockerode';
import { runtimeError } from './docker-errors.ts';
import { connectionOptions, DockerRuntime } from './docker-runtime.ts';

/** Docker 20.10 and Podman 4. */
const LEAST_API = { text: '1.41 (Docker 20.10, Podman 4)', minor: 41 };
const USAGE = 'say "engine check" or "engine remove-containers"';

/**
 * `engine check`: whether pods can run on the engine; `engine remove-containers`: those of this device's pods, once its agent
 * has been stopped for good. Resolves with what to print; rejects with what is wrong.
 */
export async function engineCommand(
  [verb, ...more]: readonly string[],
  host: string,
  nodeHere: () => string | undefined,
): Promise<string> {
  if (more.length === 0 && verb === 'check') return checkEngine(host);
  if (more.length === 0 && verb === 'remove-containers') return removeContainers(host, nodeHere());
  throw new Error(USAGE);
}

async function checkEngine(host: string): Promise<string> {
  const found = await new Docker(connectionOptions(host)).version().catch((error: unknown) => {
    throw runtimeError(`ask the engine at ${host}`, error);
  });
  const { Version, ApiVersion = '' } = found;
  const [component] = found.Components ?? [];
  const name = /podman/i.test(component?.Name ?? '') ? 'Podman' : 'Docker';
  const said = `${name} ${Version} (API ${ApiVersion})`;
  const [, major, minor] = /^(\d+)\.(\d+)$/.exec(ApiVersion) ?? [];
  if (Number(major) > 1 || (major === '1' && Number(minor) >= LEAST_API.minor)) return `${said} at ${host}`;
  throw new Error(`the engine at ${host} is ${said}, and API ${LEAST_API.text} is needed: upgrade it`);
}

async function removeContainers(host: string, node: string | undefined): Promise<string> {
  if (node === undefined) return 'this device has not joined a hub: it has no containers';
  const runtime = new DockerRuntime({ host, node, monotonicMs: () => performance.now() });
  const found = await runtime.list();
  await Promise.all(found.map(({ id }) => runtime.remove(id)));
  return `${found.length} ${found.length === 1 ? 'container' : 'containers'} of ${node} removed`;
}
