import { statfs } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { Limit } from '../../proto/limit.ts';
import type { BareNetworks } from './bare-networks.ts';
import { digestTag } from './digest-tag.ts';
import { DockerConnection, isPodman } from './docker-connection.ts';
import { createOptions } from './docker-create.ts';
import { isMissedEnd } from './docker-errors.ts';
import { changesOf, EVENT_FILTERS } from './docker-events.ts';
import { runCommand } from './docker-exec.ts';
import { DockerImages, type ImageSources } from './docker-images.ts';
import { DockerNetworks } from './docker-networks.ts';
import { observedOf } from './docker-observed.ts';
import { NODE_LABEL } from './labels.ts';
import { payloadsOf } from './multiplexed.ts';
import { isBareNetwork } from './network-name.ts';
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
  type ImagesChange,
  type LogOptions,
  type NetworkHolder,
  type NetworkLoss,
  type NetworkMaker,
  type ObservedContainer,
  type PullOptions,
  type Runtime,
  RuntimeError,
  type StoredImage,
} from './runtime.ts';
import type { StopSignal } from './stop-signal.ts';

export interface DockerRuntimeOptions extends ImageSources {
  /** `unix:///path` or `tcp://host:port`. */
  readonly host: string;
  readonly node: string;
  /** Milliseconds on a clock that only goes forward. */
  readonly monotonicMs: () => number;
  /** How much a container can be spared when memory runs out: where that can not be kept, the engine makes none. */
  readonly lowestOomScore?: number;
  /** Where it may tell of networks that it makes itself: the agent's own, and gone after a reboot. Absent: it makes none. */
  readonly networksDir?: string;
}

/** Each takes a connection and what the engine knows of a container: memory that an agent would not get rid of. */
const INSPECTIONS_AT_ONCE = 3;

/** As its types forget. */
interface Pingable {
  ping(options: { readonly abortSignal: AbortSignal }): Promise<unknown>;
}

/** The Runtime on Docker's API: Docker Engine, or Podman's compatible socket. */
export class DockerRuntime implements Runtime, NetworkMaker {
  readonly #engine: DockerConnection;
  readonly #images: DockerImages;
  readonly #networks: DockerNetworks;
  readonly #node: string;
  readonly #monotonicMs: () => number;
  readonly #lowestOomScore: number;
  readonly #networksDir: string | undefined;
  #bareNetworks: Promise<BareNetworks> | undefined;

  constructor({
    host,
    node,
    monotonicMs,
    lowestOomScore = 0,
    networksDir,
    ...sources
  }: DockerRuntimeOptions) {
    this.#engine = new DockerConnection(host);
    this.#networksDir = networksDir;
    this.#images = new DockerImages(this.#engine, sources);
    this.#networks = new DockerNetworks(this.#engine, node, () => this.#images.infraImage());
    this.#node = node;
    this.#monotonicMs = monotonicMs;
    this.#lowestOomScore = lowestOomScore;
  }

  async info(): Promise<EngineInfo> {
    const [version, info] = await this.#engine.call('ask the engine for its version', () =>
      Promise.all([this.#engine.version(), this.#engine.info()]),
    );
    return {
      version: `${isPodman(version) ? 'podman' : 'docker'}://${version.Version}`,
      osImage: info.OperatingSystem,
      kernelVersion: version.KernelVersion ?? '',
    };
  }

  async ping(abortSignal: AbortSignal): Promise<void> {
    await this.#engine.call('ask the engine whether it is there', () =>
      (this.#engine.docker as unknown as Pingable).ping({ abortSignal }),
    );
  }

  async list(): Promise<ObservedContainer[]> {
    const filters = { label: [`${NODE_LABEL}=${this.#node}`] };
    const found = await this.#engine.call('list containers', () =>
      this.#engine.docker.listContainers({ all: true, filters }),
    );
    const few = new Limit(INSPECTIONS_AT_ONCE);
    const containers = await Promise.all(found.map(({ Id }) => few.run(() => this.inspect(Id))));
    return [...containers.filter((container) => container !== undefined), ...(await this.#listBare())];
  }

  async inspect(id: string): Promise<ObservedContainer | undefined> {
    if (isBareNetwork(id)) return (await this.#bare()).inspect(id);
    try {
      const container = await this.#engine.call('inspect a container', () =>
        this.#engine.docker.getContainer(id).inspect(),
      );
      return await observedOf(container, this.#engine, this.#monotonicMs);
    } catch (error) {
      if (error instanceof RuntimeError && error.kind === 'gone') return undefined;
      throw error;
    }
  }

  async create(spec: ContainerSpec): Promise<string> {
    if (spec.network.type === 'bare') return (await this.#bare()).create(spec.identity);
    const oomScore = Math.max(this.#lowestOomScore, spec.oomScore ?? 0);
    const make = (image: string) =>
      this.#engine.call(`create container of image "${spec.image}"`, async () => {
        const podman = await this.#engine.podman();
        if (podman && this.#engine.isLocal) await podman.refuseMissing(spec.mounts);
        const whole = { ...(podman ? await podman.inBareNetwork(spec) : spec), image, oomScore };
        const options = createOptions(this.#node, whole);
        return this.#engine.docker.createContainer(podman ? podman.forPodman(whole, options) : options);
      });
    const byTag = digestTag(spec.image);
    try {
      return (await make(spec.image)).id;
    } catch (error) {
      const isAbsent = this.#noteAbsence(error);
      if (!isAbsent || byTag === undefined) throw error;
      return (await make(byTag)).id;
    }
  }

  async start(id: string): Promise<void> {
    if (isBareNetwork(id)) return (await this.#bare()).start(id);
    await this.#engine.call('start container', async () => {
      const podman = await this.#engine.podman();
      return podman ? podman.start(this.#engine, id) : this.#engine.docker.getContainer(id).start();
    });
  }

  async signal(id: string, signal: string): Promise<void> {
    await this.#signal('signal container', id, signal);
  }

  /** Resolves with whether it was there to be signalled. */
  async #signal(what: string, id: string, signal: string): Promise<boolean> {
    const send = () => this.#engine.docker.getContainer(id).kill({ signal });
    try {
      return (await this.#engine.unlessGone(what, () => send().then(() => true))) ?? false;
    } catch (error) {
      if (!isMissedEnd(error)) throw error;
      this.#engine.missed.set(id, Date.now());
      return false;
    }
  }

  async kill(id: string): Promise<void> {
    if (isBareNetwork(id)) return (await this.#bare()).end(id);
    if (!(await this.#signal('kill container', id, 'SIGKILL'))) return;
    await this.#engine.unlessGone('wait for container', () => this.#engine.docker.getContainer(id).wait());
  }

  async remove(id: string): Promise<void> {
    if (isBareNetwork(id)) return (await this.#bare()).remove(id);
    this.#engine.unstartable.delete(id);
    this.#engine.missed.delete(id);
    const remove = () =>
      this.#engine.unlessGone('remove container', () =>
        this.#engine.docker.getContainer(id).remove({ force: true, v: true }),
      );
    try {
      await remove();
    } catch (error) {
      if (isMissedEnd(error)) return remove(); // by now Podman knows that it has ended
      const dependents = dependentsIn(error as Error, id);
      if (dependents.length === 0) throw error;
      for (const dependent of dependents) await this.remove(dependent);
      await remove();
    }
  }

  async disk(): Promise<EngineDisk | undefined> {
    if (!this.#engine.isLocal) return undefined;
    const { DockerRootDir: path } = await this.#engine.call('ask the engine where its data is', () =>
      this.#engine.info(),
    );
    // An agent in a container of its own may not see it.
    const found = await statfs(path).catch(() => undefined);
    if (!found) return undefined;
    return { path, freeBytes: found.bavail * found.bsize, totalBytes: found.blocks * found.bsize };
  }

  findImage(image: string): Promise<FoundImage | undefined> {
    return this.#images.find(image);
  }

  imageLayers(image: string): Promise<readonly string[]> {
    return this.#images.layersOf(image);
  }

  imageUser(image: string): Promise<string> {
    return this.#images.userOf(image);
  }

  images(): Promise<StoredImage[]> {
    return this.#images.list();
  }

  namedImages(): AsyncGenerator<Pick<StoredImage, 'names' | 'sizeBytes'>> {
    return this.#images.listNames();
  }

  pull(image: string, options: PullOptions): Promise<void> {
    return this.#images.pull(image, options);
  }

  removeImage(image: string): Promise<void> {
    return this.#images.remove(image);
  }

  infraImage(): Promise<string> {
    return this.#images.infraImage();
  }

  ensureNetwork(name: string, bridge: string, subnet: string | undefined): Promise<EngineNetwork> {
    return this.#networks.ensureNetwork(name, bridge, subnet);
  }

  async holdNetwork(name: string, ip: string): Promise<NetworkHolder> {
    try {
      return await this.#networks.holdNetwork(name, ip);
    } catch (error) {
      this.#noteAbsence(error);
      throw error;
    }
  }

  get hasBareNetworks(): boolean {
    return this.#networksDir !== undefined && this.#engine.isLocal;
  }

  removeNetwork(name: string): Promise<void> {
    return this.#networks.removeNetwork(name);
  }

  exec(id: string, command: readonly string[], signal: StopSignal, onStart?: () => void) {
    return runCommand(this.#engine.address, id, command, signal, onStart);
  }

  async execAttached(id: string, options: ExecOptions, signal: AbortSignal): Promise<AttachedProcess> {
    const { execAttached } = await import('./docker-attach.ts');
    const container = this.#engine.docker.getContainer(id);
    return this.#engine.call('exec in container', () => execAttached(container, options, signal));
  }

  async attach(id: string, options: AttachOptions, signal: AbortSignal): Promise<AttachedProcess> {
    const { attach } = await import('./docker-attach.ts');
    return this.#engine.call('attach to container', () =>
      attach(this.#engine.docker.getContainer(id), options, signal),
    );
  }

  async logs(id: string, options: LogOptions, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const { Config } = await this.#engine.call('inspect a container', () =>
      this.#engine.docker.getContainer(id).inspect(),
    );
    const stream = await this.#engine.call('read logs', () => this.#openLogs(id, options, signal));
    return Config.Tty ? stream : payloadsOf(stream);
  }

  async stats(id: string, signal: AbortSignal): Promise<ContainerStats | undefined> {
    const { statsOf } = await import('./docker-stats.ts'); // most devices are never asked
    // Without `one-shot` the engine itself would wait for a second sample.
    const options = { stream: false as const, 'one-shot': true, abortSignal: signal };
    return this.#engine.unlessGone('read what a container uses', async () => {
      const answer = await this.#engine.docker.getContainer(id).stats(options);
      const stats = await (await this.#engine.podman())?.memoryStatsOf(this.#engine.docker, id);
      return statsOf(stats ? { ...answer, memory_stats: { ...answer.memory_stats, stats } } : answer);
    });
  }

  async diskUse(id: string): Promise<number> {
    const found = await this.#engine.unlessGone('look at what a container has written', () =>
      this.#engine.docker.getContainer(id).inspect({ size: true } as Docker.ContainerInspectOptions),
    );
    if (!found) return 0;
    const { bytesOfLogs } = await import('./container-logs.ts');
    const { SizeRw = 0 } = found as { SizeRw?: number };
    return SizeRw + (this.#engine.isLocal ? await bytesOfLogs(found.LogPath) : 0);
  }

  async changes(signal: AbortSignal): Promise<AsyncIterable<ContainerChange | NetworkLoss | ImagesChange>> {
    this.#engine.forget();
    const stream = await this.#engine.call('listen to events', () =>
      this.#engine.docker.getEvents({
        filters: JSON.stringify(EVENT_FILTERS),
        abortSignal: signal,
      } as Docker.GetEventsOptions),
    );
    return changesOf(stream as Readable, this.#node);
  }

  /** Whether it is for want of an image. */
  #noteAbsence(error: unknown): boolean {
    const isAbsent = error instanceof RuntimeError && error.kind === 'image-absent';
    if (isAbsent) this.#images.forgetInfraImage();
    return isAbsent;
  }

  #bare(): Promise<BareNetworks> {
    const directory = this.#networksDir ?? '';
    this.#bareNetworks ??= import('./bare-networks.ts').then(
      ({ BareNetworks }) => new BareNetworks(directory, this.#monotonicMs),
    );
    return this.#bareNetworks;
  }

  /** Docker has none. */
  async #listBare(): Promise<ObservedContainer[]> {
    if (!this.hasBareNetworks || !(await this.#engine.podman())) return [];
    return (await this.#bare()).list();
  }

  /** As a stream in any case: dockerode would hold all of a log that is not followed in memory. */
  #openLogs(id: string, options: LogOptions, signal: AbortSignal): Promise<Readable> {
    const { follow, timestamps, stdout = true, stderr = true, tailLines, sinceMs } = options;
    const query = {
      stdout,
      stderr,
      follow,
      timestamps,
      ...(tailLines !== undefined && { tail: tailLines }),
      ...(sinceMs !== undefined && { since: sinceMs / 1000 }),
    };
    return this.#engine.openStream(`/containers/${id}/logs?`, query, signal);
  }
}

/** Podman removes a container only after those that share its network, the ended ones too; it names them. */
function dependentsIn({ message }: Error, id: string): string[] {
  if (!/dependent containers/.test(message)) return [];
  return [...new Set(message.match(/\b[0-9a-f]{64}\b/g))].filter((each) => each !== id);
}
