import { statfs } from 'node:fs/promises';
import { Agent } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import { createOptions } from './docker-create.ts';
import { runtimeError } from './docker-errors.ts';
import { exitCodeOf } from './exec-exit-code.ts';
import { INFRA_COMMAND, INFRA_IMAGE, infraRoot, OWN_NETWORK } from './infra-image.ts';
import { identityOf, NODE_LABEL } from './labels.ts';
import { Limit } from './limit.ts';
import { linesOf } from './lines.ts';
import { payloadsOf } from './multiplexed.ts';
import {
  type AttachedProcess,
  type AttachOptions,
  type ContainerChange,
  type ContainerSpec,
  type ContainerStats,
  type EngineDisk,
  type EngineInfo,
  type EngineNetwork,
  type ExecOptions,
  type FoundImage,
  type LogOptions,
  type NetworkLoss,
  type NetworkMaker,
  type ObservedContainer,
  type Runtime,
  RuntimeError,
} from './runtime.ts';

export interface DockerRuntimeOptions {
  /** `unix:///path` or `tcp://host:port`. */
  readonly host: string;
  readonly node: string;
  /** Milliseconds on a clock that only goes forward. */
  readonly monotonicMs: () => number;
  /** Gets an image from elsewhere than its registry; resolves with whether it was there. */
  readonly pullFirst?: ((image: string) => Promise<boolean>) | undefined;
}

/** Changes of a container after which it must be looked at again; Podman knows two of them by names of its own. */
const EVENTS = ['start', 'die', 'died', 'oom', 'destroy', 'remove', 'rename'];
/** Each takes a connection and what the engine knows of a container: memory that an agent would not get rid of. */
const INSPECTIONS_AT_ONCE = 3;
const MAX_EXEC_OUTPUT_BYTES = 10 * 1024;
const NEVER = '0001-01-01T00:00:00Z'; // the engine's "not yet"

/** The Runtime on Docker's API: Docker Engine, or Podman's compatible socket. */
export class DockerRuntime implements Runtime, NetworkMaker {
  readonly #docker: Docker;
  readonly #node: string;
  readonly #isLocal: boolean;
  readonly #monotonicMs: () => number;
  readonly #pullFirst: DockerRuntimeOptions['pullFirst'];
  #infraImage: Promise<string> | undefined;

  constructor({ host, node, monotonicMs, pullFirst }: DockerRuntimeOptions) {
    this.#pullFirst = pullFirst;
    this.#docker = new Docker(connectionOptions(host));
    this.#node = node;
    this.#isLocal = host.startsWith('unix:');
    this.#monotonicMs = monotonicMs;
  }

  async info(): Promise<EngineInfo> {
    const [version, info] = await this.#call('ask the engine for its version', () =>
      Promise.all([this.#docker.version(), this.#docker.info()]),
    );
    return {
      version: `${isPodman(version) ? 'podman' : 'docker'}://${version.Version}`,
      osImage: info.OperatingSystem,
      kernelVersion: version.KernelVersion ?? '',
    };
  }

  async list(): Promise<ObservedContainer[]> {
    const filters = { label: [`${NODE_LABEL}=${this.#node}`] };
    const found = await this.#call('list containers', () =>
      this.#docker.listContainers({ all: true, filters }),
    );
    const few = new Limit(INSPECTIONS_AT_ONCE);
    const containers = await Promise.all(found.map(({ Id }) => few.run(() => this.inspect(Id))));
    return containers.filter((container) => container !== undefined);
  }

  async inspect(id: string): Promise<ObservedContainer | undefined> {
    try {
      const container = await this.#call('inspect a container', () =>
        this.#docker.getContainer(id).inspect(),
      );
      return this.#observed(container);
    } catch (error) {
      if (error instanceof RuntimeError && error.kind === 'gone') return undefined;
      throw error;
    }
  }

  async create(spec: ContainerSpec): Promise<string> {
    const container = await this.#call(`create container of image "${spec.image}"`, () =>
      this.#docker.createContainer(createOptions(this.#node, spec)),
    );
    return container.id;
  }

  async start(id: string): Promise<void> {
    await this.#call('start container', () => this.#docker.getContainer(id).start());
  }

  async signal(id: string, signal: string): Promise<void> {
    await this.#ignoringGone('signal container', () => this.#docker.getContainer(id).kill({ signal }));
  }

  async kill(id: string): Promise<void> {
    const container = this.#docker.getContainer(id);
    await this.#ignoringGone('kill container', () => container.kill({ signal: 'SIGKILL' }));
    await this.#ignoringGone('wait for container', () => container.wait());
  }

  async remove(id: string): Promise<void> {
    const remove = () =>
      this.#ignoringGone('remove container', () =>
        this.#docker.getContainer(id).remove({ force: true, v: true }),
      );
    try {
      await remove();
    } catch (error) {
      const dependents = dependentsIn(error as Error, id);
      if (dependents.length === 0) throw error;
      for (const dependent of dependents) await this.remove(dependent);
      await remove();
    }
  }

  async findImage(image: string): Promise<FoundImage | undefined> {
    try {
      const { Id, RepoDigests } = await this.#call('inspect image', () =>
        this.#docker.getImage(image).inspect(),
      );
      return { id: Id, digests: RepoDigests ?? [] };
    } catch (error) {
      if (error instanceof RuntimeError && (error.kind === 'image-absent' || error.kind === 'gone'))
        return undefined;
      throw error;
    }
  }

  async disk(): Promise<EngineDisk | undefined> {
    if (!this.#isLocal) return undefined;
    const { DockerRootDir: path } = await this.#call('ask the engine where its data is', () =>
      this.#docker.info(),
    );
    // An agent in a container of its own may not see it.
    const found = await statfs(path).catch(() => undefined);
    if (!found) return undefined;
    return { path, freeBytes: found.bavail * found.bsize, totalBytes: found.blocks * found.bsize };
  }

  async imageUser(image: string): Promise<string> {
    const { Config } = await this.#call('inspect image', () => this.#docker.getImage(image).inspect());
    return Config?.User ?? '';
  }

  /** From who is asked first, where there is somebody; otherwise, and where that fails, from the image's registry. */
  async pull(image: string): Promise<void> {
    let reason = '';
    try {
      if (await this.#pullFirst?.(image)) return;
    } catch (error) {
      reason = `; ${(error as Error).message}`;
    }
    try {
      await this.#pullFromRegistry(image);
    } catch (error) {
      if (!reason || !(error instanceof RuntimeError)) throw error;
      throw new RuntimeError(error.kind, `${error.message}${reason}`);
    }
  }

  async #pullFromRegistry(image: string): Promise<void> {
    const what = `pull image "${image}"`;
    const progress = await this.#call(what, () => this.#docker.pull(withTag(image)));
    for await (const line of linesOf(progress as Readable)) {
      const { error } = parseProgress(line);
      if (error) throw new RuntimeError('other', `${what}: ${error}`);
    }
  }

  async removeImage(image: string): Promise<void> {
    const statusCodes = [404, 409];
    try {
      await this.#docker.getImage(image).remove();
    } catch (error) {
      if (!statusCodes.includes((error as { statusCode?: number }).statusCode ?? 0))
        throw runtimeError(`remove image "${image}"`, error);
    }
  }

  infraImage(): Promise<string> {
    this.#infraImage ??= this.#importInfraImage().catch((error: unknown) => {
      this.#infraImage = undefined;
      throw error;
    });
    return this.#infraImage;
  }

  async ensureNetwork(name: string, bridge: string, subnet: string | undefined): Promise<EngineNetwork> {
    const found = await this.#findNetwork(name);
    if (found) return networkOf(found, subnet);
    if (subnet) return this.#makeNetwork(name, bridge, subnet);
    // The engine knows which addresses are free, but lets containers choose theirs only in what it was told.
    const trial = `${name}.trial`;
    await this.removeNetwork(trial);
    const chosen = await this.#makeNetwork(trial, bridge, undefined);
    await this.removeNetwork(trial);
    return this.#makeNetwork(name, bridge, chosen.subnet);
  }

  /** Of one that is gone: nothing happens. */
  async removeNetwork(name: string): Promise<void> {
    await this.#ignoringGone(`remove network ${name}`, () => this.#docker.getNetwork(name).remove());
  }

  async exec(id: string, command: readonly string[], signal: AbortSignal) {
    const exec = await this.#call('exec in container', () =>
      this.#docker.getContainer(id).exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true }),
    );
    const stream = await this.#call('start exec', () => exec.start({ abortSignal: signal }));
    const output = await readSome(stream as Readable, MAX_EXEC_OUTPUT_BYTES, signal);
    const exitCode = await this.#call('inspect exec', () => exitCodeOf(exec, signal));
    return { exitCode, output };
  }

  async execAttached(id: string, options: ExecOptions, signal: AbortSignal): Promise<AttachedProcess> {
    const { execAttached } = await import('./docker-attach.ts');
    const container = this.#docker.getContainer(id);
    return this.#call('exec in container', () => execAttached(container, options, signal));
  }

  async attach(id: string, options: AttachOptions, signal: AbortSignal): Promise<AttachedProcess> {
    const { attach } = await import('./docker-attach.ts');
    return this.#call('attach to container', () => attach(this.#docker.getContainer(id), options, signal));
  }

  async logs(id: string, options: LogOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { Config } = await this.#call('inspect a container', () => this.#docker.getContainer(id).inspect());
    const stream = await this.#call('read logs', () => this.#openLogs(id, options, signal));
    return Config.Tty ? stream : payloadsOf(stream);
  }

  async stats(id: string, signal: AbortSignal): Promise<ContainerStats | undefined> {
    const { statsOf } = await import('./docker-stats.ts'); // most devices are never asked
    // Without `one-shot` the engine itself would wait for a second sample.
    const options = { stream: false as const, 'one-shot': true, abortSignal: signal };
    const answer = await this.#ignoringGone('read what a container uses', () =>
      this.#docker.getContainer(id).stats(options),
    );
    return answer && statsOf(answer);
  }

  async changes(signal: AbortSignal): Promise<AsyncIterable<ContainerChange | NetworkLoss>> {
    const filters = { type: ['container', 'network'], event: EVENTS }; // networks have no labels to ask for
    const stream = await this.#call('listen to events', () =>
      this.#docker.getEvents({
        filters: JSON.stringify(filters),
        abortSignal: signal,
      } as Docker.GetEventsOptions),
    );
    return changesOf(stream as Readable, this.#node);
  }

  async #makeNetwork(name: string, bridge: string, subnet: string | undefined): Promise<EngineNetwork> {
    const network = await this.#call(`make network ${name}`, () =>
      this.#docker.createNetwork({
        Name: name,
        Driver: 'bridge',
        CheckDuplicate: true,
        Options: { 'com.docker.network.bridge.name': bridge },
        Labels: { [NODE_LABEL]: this.#node },
        ...(subnet && { IPAM: { Driver: 'default', Config: [{ Subnet: subnet }] } }),
      }),
    );
    const made = await this.#call(`inspect network ${name}`, () => network.inspect());
    return networkOf(made as Docker.NetworkInspectInfo, undefined);
  }

  async #findNetwork(name: string): Promise<Docker.NetworkInspectInfo | undefined> {
    return this.#ignoringGone(`inspect network ${name}`, () => this.#docker.getNetwork(name).inspect());
  }

  /** As a stream in any case: dockerode would hold all of a log that is not followed in memory. */
  #openLogs(id: string, options: LogOptions, signal: AbortSignal): Promise<Readable> {
    const { follow, timestamps, tailLines, sinceMs } = options;
    const query = {
      stdout: true,
      stderr: true,
      follow,
      timestamps,
      ...(tailLines !== undefined && { tail: tailLines }),
      ...(sinceMs !== undefined && { since: sinceMs / 1000 }),
    };
    const statusCodes = { 200: true, 404: 'no such container', 500: 'server error' };
    return new Promise((resolve, reject) => {
      this.#docker.modem.dial(
        {
          path: `/containers/${id}/logs?`,
          method: 'GET',
          isStream: true,
          abortSignal: signal,
          statusCodes,
          options: query,
        },
        (error: unknown, stream: unknown) => (error ? reject(error) : resolve(stream as Readable)),
      );
    });
  }

  async #importInfraImage(): Promise<string> {
    if (await this.findImage(INFRA_IMAGE)) return INFRA_IMAGE;
    const changes = `CMD ${JSON.stringify(INFRA_COMMAND)}`;
    await this.#call('import the infra image', async () => {
      const source = PassThrough.from([infraRoot()]);
      // With its tag: Podman does not look at one that is told apart.
      const answer = await this.#docker.importImage(source, { repo: INFRA_IMAGE, changes } as object);
      for await (const _ of answer as AsyncIterable<unknown>);
    });
    return INFRA_IMAGE;
  }

  #observed(container: Docker.ContainerInspectInfo): ObservedContainer | undefined {
    const identity = identityOf(container.Config.Labels ?? {});
    if (!identity) return undefined;
    const { State: state, Config: config } = container;
    const finishedAtMs = parseTime(state.FinishedAt);
    const phase = phaseOf(state);
    return {
      ...identity,
      id: container.Id,
      image: config.Image,
      imageId: container.Image,
      state: phase,
      exitCode: state.ExitCode,
      oomKilled: state.OOMKilled,
      error: state.Error,
      startedAtMs: parseTime(state.StartedAt),
      finishedAtMs,
      exitedAtMs: phase === 'exited' ? this.#monotonicOf(finishedAtMs) : undefined,
      pid: state.Pid,
      ip: phase === 'running' ? addressOf(container, identity.podIp) : '',
      makesNetwork: config.Cmd?.at(-1) === OWN_NETWORK && identity.role === 'infra',
      stopSignal: (config as { StopSignal?: string }).StopSignal ?? 'SIGTERM',
    };
  }

  /** The engine tells wall-clock times. One that lies in the future, after the clock was set back, counts as now. */
  #monotonicOf(atMs: number | undefined): number {
    const ago = atMs === undefined ? 0 : Math.max(0, Date.now() - atMs);
    return this.#monotonicMs() - ago;
  }

  async #ignoringGone<T>(what: string, call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#call(what, call);
    } catch (error) {
      if (!(error instanceof RuntimeError && error.kind === 'gone')) throw error;
      return undefined;
    }
  }

  async #call<T>(what: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw runtimeError(what, error);
    }
  }
}

function networkOf(found: Docker.NetworkInspectInfo, wanted: string | undefined): EngineNetwork {
  const { Name: name, Id, IPAM, Options } = found;
  const { Subnet: subnet = '', Gateway } = IPAM?.Config?.find(({ Subnet }) => Subnet?.includes('.')) ?? {};
  if (wanted && subnet !== wanted)
    throw new RuntimeError(
      'other',
      `network ${name} has the addresses ${subnet}, and "podSubnet" says ${wanted}: end this device's pods, then remove the network`,
    );
  const bridge = Options?.['com.docker.network.bridge.name'] ?? `br-${Id.slice(0, 12)}`;
  const [address = '', prefix] = subnet.split('/');
  // The engine takes the first address when nobody told it another.
  const gateway = Gateway || address.replace(/\d+$/, (last) => String(Number(last) + 1));
  return { name, bridge, subnet, prefix: Number(prefix), gateway };
}

/** Podman removes a container only after those that share its network, the ended ones too; it names them. */
function dependentsIn({ message }: Error, id: string): string[] {
  if (!/dependent containers/.test(message)) return [];
  return [...new Set(message.match(/\b[0-9a-f]{64}\b/g))].filter((each) => each !== id);
}

/** In whatever the engine calls its network; it knows nothing of one that the container has made itself. */
function addressOf({ NetworkSettings, HostConfig }: Docker.ContainerInspectInfo, podIp: string): string {
  const known = Object.values(NetworkSettings.Networks ?? {}).find(({ IPAddress }) => IPAddress)?.IPAddress;
  return known ?? (HostConfig.NetworkMode === 'host' ? podIp : '');
}

function connectionOptions(host: string): Docker.DockerOptions {
  // docker-modem inspects the options of every call, to any depth, for a debug line that nobody reads; without this, that
  // is most of what the agent does.
  const agent = Object.assign(new Agent({ keepAlive: true, maxFreeSockets: 2 }), {
    [inspect.custom]: () => 'agent',
  });
  const url = new URL(host);
  if (url.protocol === 'unix:') return { socketPath: url.pathname, agent } as Docker.DockerOptions;
  return { host: url.hostname, port: url.port || 2375, protocol: 'http', agent } as Docker.DockerOptions;
}

const isPodman = ({ Components = [] }: { Components?: readonly { Name: string }[] }) =>
  Components.some(({ Name }) => Name.startsWith('Podman'));

/** Without a tag the engine would pull every tag there is. */
function withTag(image: string): string {
  const name = image.slice(image.lastIndexOf('/') + 1);
  return name.includes(':') || name.includes('@') ? image : `${image}:latest`;
}

function parseProgress(line: string): { error?: string } {
  try {
    return JSON.parse(line) as { error?: string };
  } catch {
    return {};
  }
}

/** What is neither there yet nor running has ended; with Podman's words for what is under way. */
function phaseOf({ Status }: { Status: string }): ObservedContainer['state'] {
  if (['created', 'configured', 'initialized'].includes(Status)) return 'created';
  return ['running', 'paused', 'stopping'].includes(Status) ? 'running' : 'exited';
}

function parseTime(text: string | undefined): number | undefined {
  if (!text || text === NEVER) return undefined;
  return Date.parse(text);
}

interface EngineEvent {
  readonly Type?: string;
  readonly Action?: string;
  readonly Actor?: { readonly ID?: string; readonly Attributes?: Readonly<Record<string, string>> };
  readonly timeNano?: number;
}

async function* changesOf(stream: Readable, node: string): AsyncIterable<ContainerChange | NetworkLoss> {
  for await (const line of linesOf(stream)) {
    const { Type, Action, Actor, timeNano = 0 } = JSON.parse(line) as EngineEvent;
    const { ID: id, Attributes = {} } = Actor ?? {};
    if (Type === 'network') yield { lostNetwork: Attributes['name'] ?? '' };
    if (!id || Attributes[NODE_LABEL] !== node) continue;
    const { exitCode } = Attributes;
    const ended = Action === 'die' && exitCode !== undefined;
    yield ended ? { id, ended: { exitCode: Number(exitCode), atMs: timeNano / 1e6 } } : { id };
  }
}

/** Reads a framed stream to its end but keeps only the first bytes. */
async function readSome(stream: Readable, maxBytes: number, signal: AbortSignal): Promise<string> {
  const abort = () => stream.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  let kept = Buffer.alloc(0);
  try {
    for await (const chunk of payloadsOf(stream)) {
      if (kept.length < maxBytes) kept = Buffer.concat([kept, chunk]).subarray(0, maxBytes);
    }
  } finally {
    signal.removeEventListener('abort', abort);
  }
  return kept.toString();
}
